"""Weighted mean of members as one function of frames."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.layers.inputs.sampling import average_rounds

PRECISION = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # dtype policies, by arithmetic


class Part(NamedTuple):
    """A member in the graph.

    model: an outline, whose variables have no values; its policy is that of the products. share: weight in
    the blend. weights: each float variable of the model with its encoded values.
    """

    model: keras.Model
    share: float
    weights: list[tuple[Any, Encoded]]

    def dtype(self, encoded: Encoded) -> str:
        """Return the dtype that a weight has in memory: for matrices, that of the products."""
        return str(self.model.compute_dtype) if len(encoded.shape) > 1 else "float32"


def mixed(
    parts: list[Part], values: list[list[tf.Tensor]], inputs: dict[str, tf.Tensor], rounds: int
) -> tf.Tensor:
    """Blend the parts' probabilities, float32 (B, C); values: the weights of each part, in order."""
    total = 0.0
    for part, tensors in zip(parts, values):
        scope = keras.StatelessScope()
        for (variable, _), tensor in zip(part.weights, tensors):
            scope.add_update((variable, tensor))  # state_mapping would cast bfloat16 to float32
        with scope:
            total += part.share * average_rounds(part.model, inputs, rounds)
    return total
