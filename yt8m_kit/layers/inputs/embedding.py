"""Fully connected layers that are applied to every frame.

Shapes: B batch, T frames, H units.
"""

import keras
from keras import ops

from yt8m_kit.layers.inputs.frames import Frames
from yt8m_kit.layers.inputs.normalization import BatchNorm
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.layer import Layer, Tensor, normal


class FrameEmbedding(Layer):
    """Layers of dropout(relu(BN(x W))): Frames -> (B, T, H) float32.

    units: H. layers: their number. dropout: rate; seed: of dropout. Padding is left out of the batch
    statistics; the output on padding is undefined. Source of the layers: Kong et al., "Weakly labelled
    AudioSet tagging with attention neural networks" (2019), which has three of 1024 units.
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

    def build(self, frames_shape: Frames) -> None:
        self.first = Projection(self.units, name="first")
        self.first.build(frames_shape.codes[-1])
        self.kernels = []
        for number, norm in enumerate(self.norms, start=1):
            shape = (self.units, self.units)
            self.kernels.append(self.weight(f"kernel_{number}", shape, normal(self.units)))
            norm.build(self.units)

    def call(self, frames: Frames, training: bool = False) -> Tensor:
        hidden = self._dropped(ops.relu(self.first(frames, training=training)), 0, training)
        nothing = ops.zeros((self.units,))  # so that the mask is no keyword, which Keras would take for its
        for number, (kernel, norm) in enumerate(zip(self.kernels, self.norms), start=1):
            projected = self.matmul_frames(hidden, kernel)
            hidden = ops.relu(norm(projected, nothing, frames.mask, training=training))
            hidden = self._dropped(hidden, number, training)
        return hidden

    def _dropped(self, hidden: Tensor, number: int, training: bool) -> Tensor:
        return self.drops[number](hidden, training=training) if self.drops else hidden
