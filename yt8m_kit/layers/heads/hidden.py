"""Fully connected layers between pooling and classifier.

Shapes: B batch, I inputs.
"""

import keras

from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.layer import Tensor, normal


def linear(vector: Tensor, width: int, fan: int, name: str) -> Tensor:
    """Apply x W + b: (B, I) -> (B, width); W is initialized to N(0, fan^-1/2), b to N(0, 0.01).

    fan: WILLOW and first place give the number of clusters, not of inputs.
    """
    bias = keras.initializers.RandomNormal(stddev=0.01)
    return keras.layers.Dense(width, kernel_initializer=normal(fan), bias_initializer=bias, name=name)(vector)


def relu6(vector: Tensor, width: int, fan: int, name: str) -> Tensor:
    """Apply x W, BatchNorm and ReLU6: (B, I) -> (B, width) float32; W ~ N(0, fan^-1/2), no bias."""
    dense = keras.layers.Dense(width, use_bias=False, kernel_initializer=normal(fan), name=name)
    return keras.layers.ReLU(max_value=6, name=f"{name}_relu6")(batch_norm(f"{name}_norm")(dense(vector)))


def fuse(vectors: list[Tensor], name: str = "fusion") -> Tensor:
    """Concatenate the vectors of all features, (B, I) each, along the last axis (late fusion)."""
    return vectors[0] if len(vectors) == 1 else keras.layers.Concatenate(name=name)(vectors)
