"""Bag of frames: cluster activations pooled over frames.

Shapes: B batch, T frames, D features, K clusters.
"""

from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames, frame_max, frame_sum
from yt8m_kit.layers.inputs.normalization import batch_norm, unit
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.layer import Layer, Tensor, normal

POOLINGS = ("max", "mean")


class DeepBag(Layer):
    """Deep bag of frames, max (or mean) over frames of relu6(BN(x W)): Frames -> (B, K) float32.

    pooling: "max" or "mean". Raises UsageError for any other.
    Source: Abu-El-Haija et al., "YouTube-8M" (2016), section 4.1.2; the starter code.
    """

    def __init__(self, clusters: int, pooling: str = "max", name: str | None = None) -> None:
        super().__init__(name)
        if pooling not in POOLINGS:
            raise UsageError(f"pooling must be one of {', '.join(POOLINGS)}; got pooling={pooling}.")
        self.pooling = pooling
        self.projection = Projection(clusters, name="assignment")

    def build(self, frames_shape: Frames) -> None:
        self.projection.build(frames_shape.codes[-1])

    def call(self, frames: Frames, training: bool = False) -> Tensor:
        logits_BTK = self.projection(frames, training=training)
        if self.pooling == "max":  # which relu6, never falling, can follow as well
            return ops.relu6(frame_max(logits_BTK, frames))
        active_BTK = ops.relu6(logits_BTK)
        if not frames.padded:
            return ops.mean(active_BTK, axis=1)
        count_B1 = ops.reshape(ops.maximum(ops.sum(frames.mask, axis=-1), 1.0), (-1, 1))
        return frame_sum(active_BTK, frames) / count_B1


class SoftBag(Layer):
    """Soft bag of frames, L2-normalized sum over frames of softmax assignments: Frames -> (B, K) float32.

    maximum: concatenate the L2-normalized maximum over frames; the output is (B, 2 K).
    Source: Miech, Laptev, Sivic, "Learnable pooling with context gating" (2017), section 3.2 (Soft-DBoF).
    """

    def __init__(self, clusters: int, maximum: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.maximum = maximum
        self.projection = Projection(clusters, name="assignment")

    def build(self, frames_shape: Frames) -> None:
        self.projection.build(frames_shape.codes[-1])

    def call(self, frames: Frames, training: bool = False) -> Tensor:
        assign_BTK = ops.softmax(self.projection(frames, training=training))
        total_BK = unit(frame_sum(assign_BTK, frames))
        if not self.maximum:
            return total_BK
        return ops.concatenate([total_BK, unit(frame_max(assign_BTK, frames))], axis=1)


class GatedBag(Layer):
    """Gated soft bag of frames: Frames -> (B, K) float32, summed assignments gated by their maxima.

    With assignments a, u = sum_t a and v = unit(max_t a), the output is unit(u * sigmoid(BN(v S E))), where S
    is (K, D) and E (D, K). Source: WILLOW's 2017 code (GatedDBoF); first place 2018 has three of them.
    """

    def __init__(self, clusters: int, name: str | None = None) -> None:
        super().__init__(name)
        self.clusters = clusters
        self.projection = Projection(clusters, name="assignment")
        self.norm = batch_norm("norm")

    def build(self, frames_shape: Frames) -> None:
        width = frames_shape.codes[-1]
        self.projection.build(width)
        self.squeeze = self.weight("squeeze", (self.clusters, width), normal(width))
        self.excite = self.weight("excite", (width, self.clusters), normal(width))
        self.norm.build((None, self.clusters))

    def call(self, frames: Frames, training: bool = False) -> Tensor:
        assign_BTK = ops.softmax(self.projection(frames, training=training))
        present_BK = unit(frame_max(assign_BTK, frames))
        logits_BK = self.matmul(self.matmul(present_BK, self.squeeze), self.excite)
        gate_BK = ops.sigmoid(self.norm(logits_BK, training=training))
        return unit(frame_sum(assign_BTK, frames) * gate_BK)
