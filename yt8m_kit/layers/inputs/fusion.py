"""Gated fusion of features of one frame, such as picture and sound.

Shapes: B batch, T frames, H width.
Source: Arevalo et al., "Gated multimodal units for information fusion" (2017), section 3.1.
"""

from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames, project
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.layer import Layer, Tensor, normal


class GatedFusion(Layer):
    """Gated multimodal unit: Frames of each of n features -> (B, T, H) float32, for every frame.

    With h_i = tanh(BN(x_i W_i)) and x all features: of two, z h_1 + (1 - z) h_2 with z = sigmoid(x U + b);
    of more, the sum of sigmoid(x U_i + b_i) h_i. The paper's h_i have no BN, which is applied to the features
    before. width: H. Padding is left out of BN's statistics; the output on padding is undefined.
    Raises UsageError for a single feature.
    """

    def __init__(self, width: int, name: str | None = None) -> None:
        super().__init__(name)
        self.width = width

    def build(self, parts_shape: list[Frames]) -> None:
        widths = [part.codes[-1] for part in parts_shape]
        if len(widths) < 2:
            raise UsageError("gated fusion needs at least two features; got one.")
        self.projections = [Projection(self.width, name=f"feature_{i}") for i in range(len(widths))]
        gates = 1 if len(widths) == 2 else len(widths)
        # The rows of one matrix (all features, gates * H): a kernel for each feature.
        kernel, self.kernels = normal(sum(widths)), []
        for number, (projection, width) in enumerate(zip(self.projections, widths)):
            projection.build(width)
            self.kernels.append(self.weight(f"gate_{number}", (width, gates * self.width), kernel))
        self.bias = self.weight("gate_bias", (gates * self.width,), "zeros")

    def call(self, parts: list[Frames], training: bool = False) -> Tensor:
        hidden = [ops.tanh(layer(part, training=training)) for layer, part in zip(self.projections, parts)]
        dtype = self.compute_dtype
        logits = sum(project(part, kernel, dtype) for part, kernel in zip(parts, self.kernels)) + self.bias
        gates = ops.split(ops.sigmoid(logits), logits.shape[-1] // self.width, axis=-1)
        if len(parts) == 2:
            gates.append(1.0 - gates[0])
        return sum(gate * each for gate, each in zip(gates, hidden))
