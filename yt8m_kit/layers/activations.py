"""From logits to probabilities.

Shapes: B batch, C classes.
"""

from keras import ops

from yt8m_kit.layers.layer import Tensor


def probabilities(logits_BC: Tensor, softmax: bool) -> Tensor:
    """Apply a sigmoid to each class, or a softmax over the classes: (B, C) -> (B, C)."""
    return ops.softmax(logits_BC) if softmax else ops.sigmoid(logits_BC)
