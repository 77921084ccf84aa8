"""The label loss of all published solutions: summed binary cross-entropy.

Shapes: B batch, C classes.
"""

from keras import ops

from yt8m_kit.layers.layer import Tensor


def label_loss(labels_BC: Tensor, probabilities_BC: Tensor, epsilon: float) -> Tensor:
    """Compute binary cross-entropy, summed over classes and averaged over the batch: a float32 scalar.

    labels, probabilities: (B, C), labels in [0, 1]. epsilon is added inside the logarithms: 1e-5 in the
    starter code, 1e-8 in NeXtVLAD's. Keras' binary cross-entropy averages over classes instead, which would
    rescale the published L2 penalties and clip norms.
    """
    p = ops.cast(probabilities_BC, "float32")
    positive = labels_BC * ops.log(p + epsilon)
    negative = (1.0 - labels_BC) * ops.log(1.0 - p + epsilon)
    return -ops.mean(ops.sum(positive + negative, axis=-1))
