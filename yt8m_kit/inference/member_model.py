"""A member's model, rebuilt from its recipe and loaded with weights."""

import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from yt8m_kit import models
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.pipeline.job import verified
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Member
from yt8m_kit.run import Experiment


def model_of(member: Member, dataset: Dataset, precision: str = "float32") -> keras.Model:
    """Build a member's untrained model: {"frames", "num_frames"} to probabilities float32 (B, C).

    precision: "float32" for prediction and export, the member's own for training; the weights are
    float32 either way. The initial weights depend only on the member's seed.
    """
    keras.utils.set_random_seed(member.seed)
    keras.config.set_dtype_policy(precision)
    try:
        return models.build(member.family, dataset, **member.hyperparameters)
    finally:
        keras.config.set_dtype_policy("float32")


class _Memory(io.BytesIO):
    """A file in memory under the ending that Keras insists on."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights, without optimiser state, to an HDF5 file of any name.

    The file is built in memory: HDF5 ends the process with a segmentation fault where a disk is full.
    """
    memory = _Memory()
    model.save_weights(memory)
    path.write_bytes(memory.getbuffer())


def load_weights(model: keras.Model, path: Path) -> keras.Model:
    """Load an HDF5 weights file into the model and return the model. Raises KitError if it does not fit."""
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise KitError(f"cannot load {path}: {reason}. Delete it and run the stage that made it.") from error
    return model


def trained_model(experiment: Experiment, name: str, stage: Stage, precision: str = "float32") -> keras.Model:
    """A member's model with the weights made by a stage, verified against their digest.

    Raises UsageError if they are missing, KitError if they are damaged.
    """
    model = model_of(experiment.recipe.member(name), experiment.recipe.dataset, precision)
    return load_weights(model, verified(stage))


def averaged_model(experiment: Experiment, name: str) -> keras.Model:
    """A member's model with its final weights, in float32. Raises the errors of trained_model."""
    return trained_model(experiment, name, Stages(experiment).average(name))


def assign(model: keras.Model, arrays: Iterable[NDArray[Any]]) -> None:
    """Assign arrays to all of the model's variables, in order."""
    for variable, array in zip(model.variables, arrays):
        variable.assign(array)


def counts(model: keras.Model) -> tuple[int, int]:
    """Numbers of saved parameters (moving statistics included) and of trainable ones."""
    saved = sum(math.prod(weight.shape) for weight in model.weights)
    return saved, sum(math.prod(weight.shape) for weight in model.trainable_weights)
