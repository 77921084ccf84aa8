"""Gated mixture of several branches' logits.

Shapes: B batch, D features, N branches, C classes.
Source: Lin, Xiao, Fan, "NeXtVLAD" (2018), section 3.3.
"""

from keras import ops

from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.layer import Layer, Tensor


class MixLogits(Layer):
    """Mixture of logits: mean frame (B, D) and N logits (B, C) -> a dict of float32 tensors.

    "logits": (B, N, C), the branches' stacked; "mixture_logits": (B, C), their sum weighted by
    softmax(BN(mean frame) W + b).
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
