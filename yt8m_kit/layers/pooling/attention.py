"""Attention pooling: for each unit or class, a mean over frames with weights of its own.

Shapes: B batch, T frames, I inputs, J units.
Source: Kong et al., "Weakly labelled AudioSet tagging with attention neural networks", IEEE/ACM Transactions
on Audio, Speech, and Language Processing 27(11), 2019, decision-level and feature-level attention.
"""

from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.layer import Layer, Tensor

ACTIVATIONS = ("linear", "sigmoid")
ATTENTIONS = ("sigmoid", "softmax")
_FAR = 1e9  # below all other logits, for padding


class AttentionPool(Layer):
    """Attention pooling, sum_t q_tj u_tj: (B, T, I) and which frames are real (B, T) -> (B, J) float32.

    u = x W + b, or its sigmoid for activation="sigmoid"; q = v / sum_t v over real frames, with
    v = sigmoid(x V + c), or its exponential for attention="softmax". With J classes and a sigmoid the output
    are probabilities (decision level). Of a video without frames it is 0. Raises UsageError for another
    activation or attention.
    """

    def __init__(
        self, units: int, activation: str = "linear", attention: str = "sigmoid", name: str | None = None
    ) -> None:
        super().__init__(name)
        if activation not in ACTIVATIONS:
            raise UsageError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {activation}.")
        if attention not in ATTENTIONS:
            raise UsageError(f"attention must be one of {', '.join(ATTENTIONS)}; got {attention}.")
        self.units, self.activation, self.attention = units, activation, attention

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        shape = (frames_shape[-1] or 0, self.units)
        self.kernel = self.weight("kernel", shape)
        self.bias = self.weight("bias", (self.units,), "zeros")
        self.attention_kernel = self.weight("attention_kernel", shape)
        self.attention_bias = self.weight("attention_bias", (self.units,), "zeros")

    def call(self, frames: Tensor, real: Tensor) -> Tensor:
        values_BTJ = self.matmul_frames(frames, self.kernel) + self.bias
        if self.activation == "sigmoid":
            values_BTJ = ops.sigmoid(values_BTJ)
        attention_BTJ = self._attention(frames, real) * real[:, :, None]
        total_BJ = ops.maximum(ops.sum(attention_BTJ, axis=1), 1e-7)
        return ops.sum(attention_BTJ * values_BTJ, axis=1) / total_BJ

    def _attention(self, frames: Tensor, real: Tensor) -> Tensor:
        """v, up to a factor that is the same for all frames."""
        logits_BTJ = self.matmul_frames(frames, self.attention_kernel) + self.attention_bias
        if self.attention == "sigmoid":
            return ops.sigmoid(logits_BTJ)
        logits_BTJ = logits_BTJ + (real[:, :, None] - 1.0) * _FAR
        return ops.exp(logits_BTJ - ops.stop_gradient(ops.max(logits_BTJ, axis=1, keepdims=True)))
