"""Base layer without autocasting, and initializers."""

from typing import Any

import keras
from keras import ops

Tensor = Any  # of whichever backend runs, or symbolic


class Layer(keras.layers.Layer):  # type: ignore[misc]
    """Base layer whose inputs and weights stay float32 under the mixed_bfloat16 policy.

    Keras' autocasting is off: only `matmul`, and what asks for `compute_dtype` by name, runs in bfloat16;
    normalizations and probabilities stay float32.
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
        """Add a float32 weight of the given shape to the layer."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            regularizer=regularizer,
            trainable=trainable,
            autocast=False,
        )

    def matmul(self, left: Tensor, right: Tensor) -> Tensor:
        """Multiply (..., I) by (I, O) in the compute dtype; returns (..., O) float32."""
        dtype = self.compute_dtype
        return ops.cast(ops.matmul(ops.cast(left, dtype), ops.cast(right, dtype)), "float32")

    def matmul_frames(self, left_BTI: Tensor, right: Tensor) -> Tensor:
        """Multiply (B, T, I) by (I, O) as matmul does, as one product of B * T rows if T is known.

        TensorFlow would multiply by copies of the matrix, and its gradient would hold one for each video.
        """
        _, length, width = left_BTI.shape
        if length is None:
            return self.matmul(left_BTI, right)
        product = self.matmul(ops.reshape(left_BTI, (-1, width)), right)
        return ops.reshape(product, (-1, length, right.shape[-1]))


def is_float(variable: keras.Variable) -> bool:
    """Whether a variable has a floating point dtype: all do but the integer seeds of random layers."""
    return bool(keras.backend.is_float_dtype(variable.dtype))


def normal(fan: int) -> keras.initializers.RandomNormal:
    """Return the initializer N(0, sigma = fan^-1/2), used for most matrices by WILLOW (2017) and after."""
    return keras.initializers.RandomNormal(stddev=fan**-0.5)


def he_truncated() -> keras.initializers.VarianceScaling:
    """Return the initializer of NeXtVLAD's kernels: truncated normal, variance 2 / fan-in (He, 2015)."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
