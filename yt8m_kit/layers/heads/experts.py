"""Classifier heads: vector -> probabilities.

Shapes: B batch, I inputs, C classes, M experts of a class, N gates of a class (M, or M + 1 with the dummy
expert).
Source: Abu-El-Haija et al., "YouTube-8M" (2016), and its starter code.
"""

import keras
from keras import ops

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.activations import probabilities
from yt8m_kit.layers.layer import Layer, Tensor


def half_squares(strength: float) -> keras.regularizers.L2 | None:
    """Return the L2 penalty strength * sum(w^2) / 2, as TensorFlow 1 defines it; None for strength 0."""
    return keras.regularizers.L2(strength / 2) if strength else None


class MixtureOfExperts(Layer):
    """Mixture of experts for each class: (B, I) -> (B, C) float32, sum over m of softmax(gates)_m * expert_m.

    Experts are sigmoid(x W + b), gates x W without bias.
    mixtures: M. dummy: an additional gate of an expert that predicts 0 (the default of the starter code).
    gate_rank: width of a linear bottleneck before the gates. l2: penalty on gate and expert kernels.
    softmax: mix the experts' logits x W + b (0 of the dummy) in place of their sigmoids, and return the
    softmax of the mixtures over the classes; a choice of the kit, as published mixtures are multi-label.
    Columns of the kernels are ordered by class, then by expert. Raises UsageError for mixtures < 1.
    """

    def __init__(
        self,
        classes: int,
        mixtures: int,
        l2: float = 0.0,
        dummy: bool = True,
        gate_rank: int | None = None,
        softmax: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if mixtures < 1:
            raise UsageError(f"mixtures must be at least 1; got mixtures={mixtures}.")
        self.classes, self.mixtures = classes, mixtures
        self.gates = mixtures + dummy
        self.gate_rank, self.softmax = gate_rank, softmax
        self.regularizer = half_squares(l2)

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        width = gate_width = inputs_shape[-1] or 0
        if self.gate_rank is not None:
            self.gate_squeeze = self._kernel("gate_squeeze", width, self.gate_rank)
            gate_width = self.gate_rank
        self.gate_kernel = self._kernel("gate_kernel", gate_width, self.classes * self.gates)
        self.expert_kernel = self._kernel("expert_kernel", width, self.classes * self.mixtures)
        self.expert_bias = self.weight("expert_bias", (self.classes * self.mixtures,), "zeros")

    def _kernel(self, name: str, width: int, columns: int) -> keras.Variable:
        return self.weight(name, (width, columns), regularizer=self.regularizer)

    def call(self, inputs: Tensor) -> Tensor:
        narrow = inputs if self.gate_rank is None else self.matmul(inputs, self.gate_squeeze)
        gates = self._by_mixture(self.matmul(narrow, self.gate_kernel), self.gates)
        experts = self._by_mixture(self.matmul(inputs, self.expert_kernel) + self.expert_bias, self.mixtures)
        # An explicit softmax: over a last axis of two or three, the library's is many times slower.
        largest = gates[0]
        for gate in gates[1:]:
            largest = ops.maximum(largest, gate)
        exponents = [ops.exp(gate - ops.stop_gradient(largest)) for gate in gates]
        activated = experts if self.softmax else map(ops.sigmoid, experts)
        mixed = sum(e * expert for e, expert in zip(exponents, activated)) / sum(exponents)
        return ops.softmax(mixed) if self.softmax else mixed

    def _by_mixture(self, logits: Tensor, mixtures: int) -> list[Tensor]:
        """Unstack (B, C * mixtures) into a list of `mixtures` tensors (B, C)."""
        logits_BCN = ops.reshape(logits, (-1, self.classes, mixtures))
        return list(ops.unstack(logits_BCN, axis=-1))


class Logistic(Layer):
    """Logistic regression, sigmoid(x W + b) or softmax(x W + b): (B, I) -> (B, C) float32 probabilities.

    l2: penalty on the kernel. bias_l2: penalty on the bias (NeXtVLAD). initializer: of the kernel.
    softmax: over the classes, in place of a sigmoid of each. logits: return x W + b instead.
    """

    def __init__(
        self,
        classes: int,
        l2: float = 0.0,
        bias_l2: float = 0.0,
        initializer: keras.initializers.Initializer | str = "glorot_uniform",
        softmax: bool = False,
        logits: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.classes, self.initializer = classes, initializer
        self.softmax, self.logits = softmax, logits
        self.regularizers = half_squares(l2), half_squares(bias_l2)

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        kernel, bias = self.regularizers
        width = inputs_shape[-1] or 0
        self.kernel = self.weight("kernel", (width, self.classes), self.initializer, kernel)
        self.bias = self.weight("bias", (self.classes,), "zeros", bias)

    def call(self, inputs: Tensor) -> Tensor:
        logits = self.matmul(inputs, self.kernel) + self.bias
        return logits if self.logits else probabilities(logits, self.softmax)


def classifier(vector: Tensor, dataset: Dataset, mixtures: int | None, l2: float) -> Tensor:
    """Classify (B, I) -> (B, C) float32 by a mixture of experts; by logistic regression for mixtures=None.

    The probabilities of a single-label data set are a softmax. l2: penalty on the kernels. Raises UsageError
    for mixtures < 1.
    """
    classes, softmax = dataset.classes, dataset.single_label
    if mixtures is None:
        return Logistic(classes, l2=l2, softmax=softmax, name="logistic")(vector)
    return MixtureOfExperts(classes, mixtures, l2=l2, softmax=softmax, name="experts")(vector)
