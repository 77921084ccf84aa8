"""A mixture of the logits of several branches."""

from keras import ops

from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.layer import Layer, Tensor


class MixLogits(Layer):
    """(B, D) mean frames, N logits (B, C) -> {"mixture_logits": (B, C), "logits": (B, N, C)} float32.

    The mixture's logits are the sum of the branches', weighted by softmax(BN(mean frame) W + b).
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.norm = batch_norm("norm")

    def build(self, mean_shape: tuple[int | None, ...], logits_shape: list[tuple[int | None, ...]]) -> None:
        width = mean_shape[-1] or 0
        self.norm.build(mean_shape)
        self.kernel = self.weight("kernel", (width, len(logits_shape)))
        self.bias = self.weight("bias", (len(logits_shape),), "zeros")

    def call(self, mean: Tensor, logits: list[Tensor], training: bool = False) -> dict[str, Tensor]:
        gate_BN = ops.softmax(ops.matmul(self.norm(mean, training=training), self.kernel) + self.bias)
        logits_BNC = ops.stack(logits, axis=1)
        mixture_BC = ops.sum(gate_BN[:, :, None] * logits_BNC, axis=1)
        return {"mixture_logits": mixture_BC, "logits": logits_BNC}
