"""Fully connected layers that are applied to every frame.

Shapes: B batch, T frames, H units.
"""

import keras
from keras import ops

from yt8m_kit.layers.inputs.frames import Frames
from yt8m_kit.layers.inputs.fusion import GatedFusion
from yt8m_kit.layers.inputs.normalization import BatchNorm
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.layer import Layer, Tensor, normal


class FrameEmbedding(Layer):
    """Layers of dropout(relu(BN(x W))): Frames (or a list, one for each feature) -> (B, T, H) float32.

    units: H. layers: their number; of a list of Frames the first layer is a GatedFusion instead.
    dropout: rate; seed: of dropout. Padding is left out of the batch statistics; the output on padding is
    undefined. Source of the layers: Kong et al., "Weakly labelled AudioSet tagging with attention neural
    networks" (2019), which has three of 1024 units.
    """

    def __init__(
        self, units: int, layers: int, dropout: float = 0.0, seed: int = 0, name: str | None = None
    ) -> None:
        super().__init__(name)
        self.units = units
        self.norms = [BatchNorm(name=f"norm_{number}") for number in range(1, layers)]
        self.drops = [
            keras.layers.Dropout(dropout, seed=seed + number, dtype="float32", name=f"dropout_{number}")
            for number in range(layers if dropout else 0)
        ]

    def build(self, inputs_shape: Frames | list[Frames]) -> None:
        if isinstance(inputs_shape, Frames):
            self.first = Projection(self.units, name="first")
            self.first.build(inputs_shape.codes[-1])
        else:
            self.first = GatedFusion(self.units, name="first")
            self.first.build(inputs_shape)
        self.kernels = []
        for number, norm in enumerate(self.norms, start=1):
            shape = (self.units, self.units)
            self.kernels.append(self.weight(f"kernel_{number}", shape, normal(self.units)))
            norm.build(self.units)

    def call(self, inputs: Frames | list[Frames], training: bool = False) -> Tensor:
        hidden = self.first(inputs, training=training)
        if isinstance(inputs, Frames):
            hidden, mask = ops.relu(hidden), inputs.mask
        else:
            mask = inputs[0].mask
        hidden = self._dropped(hidden, 0, training)
        nothing = ops.zeros(
            (self.units,)
        )  # so that the mask is no keyword, which Keras would take for its own
        for number, (kernel, norm) in enumerate(zip(self.kernels, self.norms), start=1):
            hidden = ops.relu(norm(self.matmul_frames(hidden, kernel), nothing, mask, training=training))
            hidden = self._dropped(hidden, number, training)
        return hidden

    def _dropped(self, hidden: Tensor, number: int, training: bool) -> Tensor:
        return self.drops[number](hidden, training=training) if self.drops else hidden
