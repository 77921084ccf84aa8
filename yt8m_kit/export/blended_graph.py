"""Weighted mean of members as one function of frames."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.layers.inputs.sampling import average_rounds


class Part(NamedTuple):
    """A member in the graph.

    model: an outline, whose variables have no values. share: weight in the blend. weights: each float
    variable of the model with its encoded values.
    """

    model: keras.Model
    share: float
    weights: list[tuple[Any, Encoded]]


def mixed(
    parts: list[Part], values: list[list[tf.Tensor]], inputs: dict[str, tf.Tensor], rounds: int
) -> tf.Tensor:
    """Blend the parts' probabilities, float32 (B, C); values: the float weights of each part, in order."""
    total = 0.0
    for part, tensors in zip(parts, values):
        mapping = [(variable, tensor) for (variable, _), tensor in zip(part.weights, tensors)]
        with keras.StatelessScope(state_mapping=mapping):
            total += part.share * average_rounds(part.model, inputs, rounds)
    return total
