"""Gates: a vector multiplied with a sigmoid of itself.

Shapes: B batch, H width.
"""

from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.layer import Layer, Tensor, he_truncated, normal


class ContextGate(Layer):
    """x * sigmoid(BN(x W)): (B, H) -> (B, H) float32; W is H x H without bias, N(0, H^-1/2).

    On hidden vectors it is WILLOW's context gate, on the classifier's probabilities the
    probability gate (1.4). The paper has a bias and no BN; the submitted code has BN, and so have we.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.norm = batch_norm("norm")

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        width = inputs_shape[-1] or 0
        self.kernel = self.weight("kernel", (width, width), normal(width))
        self.norm.build(inputs_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        logits = self.norm(self.matmul(inputs, self.kernel), training=training)
        gate = ops.sigmoid(logits)
        return ops.cast(inputs, "float32") * gate


class SqueezeGate(Layer):
    """x * sigmoid(relu(BN(x W1)) W2): (B, H) -> (B, H) float32, W1 is H x H/r and W2 H/r x H, no biases.

    NeXtVLAD's SE context gate (Lin et al. 2018). The paper's figure has a second BN
    before the sigmoid, the code none. Raises UsageError where reduction does not divide H.
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
