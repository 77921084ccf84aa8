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
        left, right = (ops.cast(each, self.compute_dtype) for each in (left, right))
        # TensorFlow would multiply the batch by copies of the matrix, and its gradient by one for each video.
        is_flattened = len(left.shape) == 3 and left.shape[1] is not None
        if is_flattened and keras.backend.backend() == "tensorflow":
            length, (width, columns) = left.shape[1], right.shape
            product = ops.matmul(ops.reshape(left, (-1, width)), right)
            return ops.cast(ops.reshape(product, (-1, length, columns)), "float32")
        return ops.cast(ops.matmul(left, right), "float32")


def is_float(variable: keras.Variable) -> bool:
    """Whether a variable has a floating point dtype: all do but the integer seeds of random layers."""
    return bool(keras.backend.is_float_dtype(variable.dtype))


def normal(fan: int) -> keras.initializers.RandomNormal:
    """Return the initializer N(0, sigma = fan^-1/2), used for most matrices by WILLOW (2017) and after."""
    return keras.initializers.RandomNormal(stddev=fan**-0.5)


def he_truncated() -> keras.initializers.VarianceScaling:
    """Return the initializer of NeXtVLAD's kernels: truncated normal, variance 2 / fan-in (He, 2015)."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
