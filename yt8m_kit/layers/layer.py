"""What all layers here share: nothing is cast behind their back."""

from typing import Any

import keras
from keras import ops

Tensor = Any  # of whichever backend runs, or symbolic


class Layer(keras.layers.Layer):  # type: ignore[misc]
    """A layer whose inputs and weights stay float32 under mixed_bfloat16.

    Large matmuls are in the compute dtype, asked for by name; normalisations and probabilities are not.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, autocast=False)

    def weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: keras.initializers.Initializer | str = "glorot_uniform",
        regularizer: keras.regularizers.Regularizer | None = None,
        trainable: bool = True,
    ) -> keras.Variable:
        """A float32 weight of the layer."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            regularizer=regularizer,
            trainable=trainable,
            autocast=False,
        )

    def matmul(self, left: Tensor, right: Tensor) -> Tensor:
        """The product, computed in the compute dtype, as float32."""
        dtype = self.compute_dtype
        return ops.cast(ops.matmul(ops.cast(left, dtype), ops.cast(right, dtype)), "float32")


def is_float(variable: keras.Variable) -> bool:
    """Whether a variable holds floating point numbers: all but the seeds of random layers do."""
    return bool(keras.backend.is_float_dtype(variable.dtype))


def normal(fan: int) -> keras.initializers.RandomNormal:
    """N(0, fan^-1/2), the initialiser of nearly all raw matrices in the sources."""
    return keras.initializers.RandomNormal(stddev=fan**-0.5)


def he_truncated() -> keras.initializers.VarianceScaling:
    """The initialiser of NeXtVLAD's kernels (variance 2 / fan-in)."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
