"""A member's model, rebuilt from its recipe and loaded with weights."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from yt8m_kit import models
from yt8m_kit.atomic import replacing
from yt8m_kit.data.records import Batch
from yt8m_kit.errors import KitError
from yt8m_kit.layers.sampling import average_rounds
from yt8m_kit.recipe import Member
from yt8m_kit.spec import Dataset


def model_of(member: Member, dataset: Dataset, precision: str = "float32") -> keras.Model:
    """The untrained model of a member: {"frames", "num_frames"} to probabilities float32 (B, C).

    precision: "float32" for prediction and export, the member's own for training; the weights are
    float32 either way. The initial weights depend on the member's seed alone.
    """
    keras.utils.set_random_seed(member.seed)
    keras.config.set_dtype_policy(precision)
    try:
        return models.build(member.family, dataset, **member.hyperparameters)
    finally:
        keras.config.set_dtype_policy("float32")


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights (no optimiser) to a .weights.h5 file, whole or not at all."""
    with replacing(path) as temporary:
        # Keras insists on the ending.
        written = temporary.with_name(temporary.name + ".weights.h5")
        try:
            model.save_weights(written)
            written.rename(temporary)
        finally:
            written.unlink(missing_ok=True)


def load_weights(model: keras.Model, path: Path) -> keras.Model:
    """Load a .weights.h5 file into the model and return it; KitError where it does not fit."""
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise KitError(f"cannot load {path}: {reason}. Delete it and run the stage that made it.") from error
    return model


def assign(model: keras.Model, arrays: Iterable[NDArray[Any]]) -> None:
    """Set all of the model's variables, in their order."""
    for variable, array in zip(model.variables, arrays):
        variable.assign(array)


def counts(model: keras.Model) -> tuple[int, int]:
    """Parameters saved (moving statistics included) and trainable."""
    saved = sum(math.prod(weight.shape) for weight in model.weights)
    return saved, sum(math.prod(weight.shape) for weight in model.trainable_weights)


def compiled(model: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays, which calls `model`, compiled once a shape; weights are read at each call."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, reduce_retracing=True)  # type: ignore[no-any-return]
    import jax

    @jax.jit
    def stateless(state: list[Any], *arrays: Any) -> Any:
        # Under jit a variable would be frozen into the program: hand the values in instead.
        with keras.StatelessScope(state_mapping=list(zip(model.variables, state))):
            return function(*arrays)

    return lambda *arrays: stateless([variable.value for variable in model.variables], *arrays)


def predictor(model: keras.Model, rounds: int = 1) -> Callable[[Batch], NDArray[np.float32]]:
    """A compiled function from a batch to probabilities float32 (B, C), `rounds` samplings averaged."""

    def call(frames: Any, num_frames: Any) -> Any:
        return average_rounds(model, {"frames": frames, "num_frames": num_frames}, rounds)

    function = compiled(model, call)
    return lambda batch: np.asarray(function(batch.frames, batch.num_frames))
