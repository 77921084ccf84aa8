"""Weighted mean of members as one function of frames."""

from typing import Any, Literal, NamedTuple

import keras
import tensorflow as tf

from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.layers.inputs.sampling import average_rounds

Arithmetic = Literal["float32", "bfloat16"]
PRECISION = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # dtype policies of Keras


class Part(NamedTuple):
    """A member in the graph.

    model: an outline, whose variables have no values. share: weight in the blend. weights: each float
    variable of the model with its encoded values. arithmetic: of matrix products, as in the model's policy.
    """

    model: keras.Model
    share: float
    weights: list[tuple[Any, Encoded]]
    arithmetic: Arithmetic = "float32"

    def dtype(self, encoded: Encoded) -> str:
        """Return the dtype that a weight has in memory: bfloat16 for the matrices of such products."""
        return self.arithmetic if len(encoded.shape) > 1 else "float32"


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
