"""Mean frame.

Shapes: B batch, T frames, D features.
"""

from keras import ops

from yt8m_kit.layers.inputs.frames import Frames, aggregate
from yt8m_kit.layers.inputs.normalization import unit
from yt8m_kit.layers.layer import Layer, Tensor


class MeanFrame(Layer):
    """Mean over frames that are not padding, or over all T for padding=True: Frames -> (B, D) float32."""

    def __init__(self, padding: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.padding = padding

    def call(self, frames: Frames) -> Tensor:
        mask_BT = frames.mask if frames.padded and not self.padding else ops.ones_like(frames.row)
        weights_BT = mask_BT / ops.maximum(ops.sum(mask_BT, axis=1, keepdims=True), 1.0)
        return aggregate(weights_BT[:, :, None], frames)[:, :, 0]


class UnitVector(Layer):
    """L2 normalization: (B, D) -> (B, D) float32; zeros stay zeros."""

    def call(self, vector: Tensor) -> Tensor:
        return unit(ops.cast(vector, "float32"))
