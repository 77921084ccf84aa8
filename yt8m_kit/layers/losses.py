"""The label losses: summed binary cross-entropy of all published solutions, and that of single-label tasks.

Shapes: B batch, C classes.
"""

from dataclasses import dataclass

from keras import ops

from yt8m_kit.layers.activations import probabilities
from yt8m_kit.layers.layer import Tensor


@dataclass(frozen=True)
class LabelLoss:
    """The loss of probabilities, a float32 scalar averaged over the batch.

    epsilon: added inside the logarithms, 1e-5 in the starter code, 1e-8 in NeXtVLAD's.
    single_label: cross-entropy of a softmax in place of the sum of binary ones.
    smoothing: label smoothing of single labels, the share of the target that is spread evenly over the
    classes (Szegedy et al., "Rethinking the Inception architecture", 2016, section 7).
    """

    epsilon: float
    single_label: bool = False
    smoothing: float = 0.0

    def __call__(self, labels_BC: Tensor, probabilities_BC: Tensor) -> Tensor:
        """Compute the loss of labels in [0, 1] and probabilities, both (B, C)."""
        if not self.single_label:
            return label_loss(labels_BC, probabilities_BC, self.epsilon)
        return cross_entropy(smoothed(labels_BC, self.smoothing), probabilities_BC, self.epsilon)

    def of_logits(self, labels_BC: Tensor, logits_BC: Tensor) -> Tensor:
        """Compute the loss of labels and logits, both (B, C)."""
        return self(labels_BC, probabilities(logits_BC, self.single_label))


def label_loss(labels_BC: Tensor, probabilities_BC: Tensor, epsilon: float) -> Tensor:
    """Compute binary cross-entropy, summed over classes and averaged over the batch: a float32 scalar.

    labels, probabilities: (B, C), labels in [0, 1]. epsilon is added inside the logarithms. Keras' binary
    cross-entropy averages over classes instead, which would rescale the published L2 penalties and clip
    norms.
    """
    p = ops.cast(probabilities_BC, "float32")
    positive = labels_BC * ops.log(p + epsilon)
    negative = (1.0 - labels_BC) * ops.log(1.0 - p + epsilon)
    return -ops.mean(ops.sum(positive + negative, axis=-1))


def cross_entropy(labels_BC: Tensor, probabilities_BC: Tensor, epsilon: float) -> Tensor:
    """Compute cross-entropy, averaged over the batch: a float32 scalar.

    labels, probabilities: (B, C), each summing to 1. epsilon is added inside the logarithm.
    """
    p = ops.cast(probabilities_BC, "float32")
    return -ops.mean(ops.sum(labels_BC * ops.log(p + epsilon), axis=-1))


def smoothed(labels_BC: Tensor, share: float) -> Tensor:
    """Spread a share of labels (B, C) evenly over the classes; a video without a label stays without one."""
    if not share:
        return labels_BC
    total_B1 = ops.sum(labels_BC, axis=-1, keepdims=True)
    return labels_BC * (1.0 - share) + total_B1 * (share / labels_BC.shape[-1])
