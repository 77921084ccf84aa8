"""NetVLAD: residuals of frames to cluster centres, summed by soft assignment.

Shapes: B batch, T frames, D features, E features after a linear map, K clusters.
Source: Miech, Laptev, Sivic, "Learnable pooling with context gating" (2017), section 3.
"""

from keras import ops

from yt8m_kit.layers.inputs.frames import Frames, aggregate, masked, total
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.layer import Layer, Tensor, normal


class NetVLAD(Layer):
    """NetVLAD before normalization, sum over frames of a_k(x) * (x - c_k): Frames -> (B, D, K) float32.

    a = softmax(BN(x W)) over clusters. residual: False leaves out the centres c (NetRVLAD).
    reduced: E, features after a linear layer that is applied first; the output is then (B, E, K).
    """

    def __init__(
        self, clusters: int, residual: bool = True, reduced: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(name)
        self.clusters = clusters
        self.residual = residual
        self.reduced = reduced
        self.projection = Projection(clusters, name="assignment")

    def build(self, frames_shape: Frames) -> None:
        width = frames_shape.codes[-1]
        self.basis = None
        if self.reduced is not None:
            self.basis = self.weight("basis", (width, self.reduced))
            width = self.reduced
        self.projection.build(width)
        if self.residual:
            self.centres = self.weight("centres", (width, self.clusters), normal(width))

    def call(self, frames: Frames, training: bool = False) -> Tensor:
        logits_BTK = self.projection(frames, basis=self.basis, training=training)
        assign_BTK = masked(ops.softmax(logits_BTK), frames)
        centres = self.centres if self.residual else None
        if self.basis is None:
            return aggregate(assign_BTK, frames, self.compute_dtype, centres)
        vlad_BEK = ops.einsum("bdk,de->bek", aggregate(assign_BTK, frames, self.compute_dtype), self.basis)
        if centres is None:
            return vlad_BEK
        return vlad_BEK - centres * total(assign_BTK)[:, None, :]


class IntraNormalize(Layer):
    """L2 normalization within each cluster, then of the whole: (B, D, K) -> (B, D * K) float32.

    The norm of the whole is computed from those of the clusters, so the large tensor is read twice, not four
    times.
    """

    def call(self, vlad_BDK: Tensor) -> Tensor:
        squares_BK = ops.sum(ops.square(vlad_BDK), axis=1)
        inverse_BK = ops.rsqrt(ops.maximum(squares_BK, 1e-12))
        whole_B1 = ops.sum(squares_BK * ops.square(inverse_BK), axis=1, keepdims=True)
        factor_BK = inverse_BK * ops.rsqrt(ops.maximum(whole_B1, 1e-12))
        _, width, clusters = vlad_BDK.shape
        return ops.reshape(vlad_BDK * factor_BK[:, None, :], (-1, width * clusters))
