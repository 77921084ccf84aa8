"""Non-local block: self-attention among the cluster descriptors of a video.

Shapes: B batch, D features, K clusters, W width of the block.
"""

from keras import ops

from yt8m_kit.layers.layer import Layer, Tensor, normal


class NonLocal(Layer):
    """Non-local block, v + softmax(t theta(v) phi(v)^T) g(v) out: (B, D, K) -> (B, D, K) float32.

    v has the K descriptors as rows. theta, phi, g are (D, W), N(0, D^-1/2); out is (W, D), N(0, W^-1/2); no
    biases. width: W. temperature: t, D^-1/2 by default.
    tie_g_to_phi: phi in place of g, as in the code of two published models; g is then stored but unused.
    Source: Tang et al., "Non-local NetVLAD encoding for video classification" (2018).
    """

    def __init__(
        self,
        width: int,
        temperature: float | None = None,
        tie_g_to_phi: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.width, self.temperature, self.tie_g_to_phi = width, temperature, tie_g_to_phi

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        features = inputs_shape[1] or 0
        shape = (features, self.width)
        self.theta = self.weight("theta", shape, normal(features))
        self.phi = self.weight("phi", shape, normal(features))
        self.g = self.weight("g", shape, normal(features))
        self.out = self.weight("out", (self.width, features), normal(self.width))

    def call(self, vlad_BDK: Tensor) -> Tensor:
        dtype = self.compute_dtype
        # g is unused, but needs a gradient (zero): training steps do not accept weights without one.
        values = self.phi + 0.0 * self.g if self.tie_g_to_phi else self.g
        cast_BDK = ops.cast(vlad_BDK, dtype)
        theta_BKW, phi_BKW, g_BKW = (
            ops.einsum("bdk,dw->bkw", cast_BDK, ops.cast(kernel, dtype))
            for kernel in (self.theta, self.phi, values)
        )
        temperature = self.temperature or vlad_BDK.shape[1] ** -0.5
        logits_BKJ = ops.cast(ops.einsum("bkw,bjw->bkj", theta_BKW, phi_BKW), "float32")
        relation_BKJ = ops.cast(ops.softmax(temperature * logits_BKJ), dtype)
        mixed_BKW = ops.matmul(relation_BKJ, g_BKW)
        change_BDK = ops.einsum("bkw,wd->bdk", mixed_BKW, ops.cast(self.out, dtype))
        return vlad_BDK + ops.cast(change_BDK, "float32")
