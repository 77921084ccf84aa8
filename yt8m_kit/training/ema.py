"""Exponential moving averages of all of a model's variables, updated after every step (first place)."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from yt8m_kit.layers.layer import is_float


class ExponentialMovingAverage:
    """float64 moving averages: shadow = (1 - gamma) * shadow + gamma * variable.

    All float variables are averaged, BatchNorm statistics included; seeds of random layers are not. The
    averages are initialised with the variables, so that no bias correction is needed.
    """

    def __init__(self, model: keras.Model, gamma: float):
        self._places = [i for i, v in enumerate(model.variables) if is_float(v)]
        self._variables = [model.variables[i] for i in self._places]
        start = [keras.ops.convert_to_numpy(v).astype(np.float64) for v in self._variables]
        make = _jax_average if keras.backend.backend() == "jax" else _tensorflow_average
        self._set, self._add, self._get = make(gamma)
        self._set(start)

    def update(self, values: list[Any]) -> None:
        """Update the averages; values: those of all of the model's variables, in order, as backend arrays."""
        self._add([values[i] for i in self._places])

    def state(self) -> list[NDArray[np.float64]]:
        """The averages as float64 arrays, for a checkpoint."""
        return [np.asarray(value) for value in self._get()]

    def load_state(self, arrays: list[NDArray[np.float64]]) -> None:
        """Restore averages returned by `state`."""
        self._set(arrays)

    def copy_to_model(self) -> None:
        """Assign the averages to the model's float variables."""
        for variable, value in zip(self._variables, self._get()):
            variable.assign(np.asarray(value).astype(np.float32))


def _tensorflow_average(gamma: float) -> Any:
    import tensorflow as tf

    shadows: list[Any] = []

    def put(arrays: list[Any]) -> None:
        shadows[:] = [tf.Variable(array, dtype=tf.float64) for array in arrays]

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def add(values: list[Any]) -> None:
        for shadow, value in zip(shadows, values):
            shadow.assign_add(gamma * (tf.cast(value, tf.float64) - shadow))

    return put, add, lambda: shadows


def _jax_average(gamma: float) -> Any:
    import jax

    shadows: list[Any] = []

    @jax.jit
    def added(old: list[Any], values: list[Any]) -> list[Any]:
        return [shadow + gamma * (value.astype("float64") - shadow) for shadow, value in zip(old, values)]

    def put(arrays: list[Any]) -> None:
        with jax.enable_x64(True):
            shadows[:] = [jax.numpy.asarray(array, "float64") for array in arrays]

    def add(values: list[Any]) -> None:
        with jax.enable_x64(True):
            shadows[:] = added(shadows, values)

    return put, add, lambda: shadows
