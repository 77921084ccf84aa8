"""The label loss that the solutions share.

Shapes: B batch, C classes.
"""

from keras import ops

from yt8m_kit.layers.layer import Tensor


def label_loss(labels_BC: Tensor, probabilities_BC: Tensor, epsilon: float) -> Tensor:
    """Cross entropy summed over classes, averaged over the batch: a float32 scalar.

    Keras' own binary cross entropy averages over classes, under which the published L2 weights and
    clip norms would mean something else. epsilon keeps the logarithms finite: 1e-5, NeXtVLAD 1e-8.
    """
    p = ops.cast(probabilities_BC, "float32")
    positive = labels_BC * ops.log(p + epsilon)
    negative = (1.0 - labels_BC) * ops.log(1.0 - p + epsilon)
    return -ops.mean(ops.sum(positive + negative, axis=-1))
