"""Gates: a vector times a sigmoid of a transform of itself.

Shapes: B batch, H width.
"""

from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.layer import Layer, Tensor, he_truncated, normal

LEAST = 1e-30  # a sum of gated probabilities is not divided by less


class ContextGate(Layer):
    """Context gating, x * sigmoid(BN(x W)): (B, H) -> (B, H) float32; W is (H, H), N(0, H^-1/2), no bias.

    Applied to hidden vectors, and to the classifier's probabilities ("probability gate"). The paper has a
    bias and no BN; WILLOW's published code, which is followed here, has BN and no bias.
    normalized: divide by the sum over H, so that gated probabilities of a softmax sum to 1 again.
    Source: Miech, Laptev, Sivic, "Learnable pooling with context gating" (2017).
    """

    def __init__(self, normalized: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.normalized = normalized
        self.norm = batch_norm("norm")

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        width = inputs_shape[-1] or 0
        self.kernel = self.weight("kernel", (width, width), normal(width))
        self.norm.build(inputs_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        logits = self.norm(self.matmul(inputs, self.kernel), training=training)
        gated = ops.cast(inputs, "float32") * ops.sigmoid(logits)
        if not self.normalized:
            return gated
        return gated / ops.maximum(ops.sum(gated, axis=-1, keepdims=True), LEAST)


class SqueezeGate(Layer):
    """SE context gating, x * sigmoid(relu(BN(x W1)) W2): (B, H) -> (B, H) float32; no biases.

    W1 is (H, H / reduction), W2 (H / reduction, H). The paper's figure has a second BN before the sigmoid,
    its code, which is followed here, has none. Raises UsageError where reduction does not divide H.
    Source: Lin, Xiao, Fan, "NeXtVLAD" (2018).
    """

    def __init__(self, reduction: int, name: str | None = None) -> None:
        super().__init__(name)
        self.reduction = reduction
        self.norm = batch_norm("norm")

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        width = inputs_shape[-1] or 0
        if width % self.reduction:
            raise UsageError(
                f"hidden must be divisible by reduction; got hidden={width}, reduction={self.reduction}."
            )
        narrow = width // self.reduction
        self.squeeze = self.weight("squeeze", (width, narrow), he_truncated())
        self.excite = self.weight("excite", (narrow, width), he_truncated())
        self.norm.build((None, narrow))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        squeezed = self.norm(self.matmul(inputs, self.squeeze), training=training)
        gate = ops.sigmoid(self.matmul(ops.relu(squeezed), self.excite))
        return ops.cast(inputs, "float32") * gate
