"""Fully connected layers between pooling and classifier, initialised as the sources do."""

import keras

from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.layer import Tensor, normal


def linear(vector: Tensor, width: int, fan: int, name: str) -> Tensor:
    """(B, I) -> (B, width): x W + b, W of N(0, fan^-1/2), b of N(0, 0.01).

    WILLOW and first place scale W with the number of clusters, not of inputs.
    """
    bias = keras.initializers.RandomNormal(stddev=0.01)
    return keras.layers.Dense(width, kernel_initializer=normal(fan), bias_initializer=bias, name=name)(vector)


def relu6(vector: Tensor, width: int, fan: int, name: str) -> Tensor:
    """(B, I) -> (B, width): x W, BN and ReLU cut at 6; W of N(0, fan^-1/2), no bias."""
    dense = keras.layers.Dense(width, use_bias=False, kernel_initializer=normal(fan), name=name)
    return keras.layers.ReLU(max_value=6, name=f"{name}_relu6")(batch_norm(f"{name}_norm")(dense(vector)))


def fuse(vectors: list[Tensor], name: str = "fusion") -> Tensor:
    """The vectors of all features, side by side (late fusion)."""
    return vectors[0] if len(vectors) == 1 else keras.layers.Concatenate(name=name)(vectors)
