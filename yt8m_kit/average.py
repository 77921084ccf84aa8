"""The weights a member goes on with: the mean over a range of checkpoints, or the last ones."""

import os
from contextlib import closing
from pathlib import Path

import keras
import numpy as np

from yt8m_kit import checkpoints, progress
from yt8m_kit.atomic import replacing
from yt8m_kit.data import records
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.moving_statistics import reestimate
from yt8m_kit.rebuild import model_of, save_weights
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run
from yt8m_kit.train import training_batches


def average(recipe: Recipe, name: str, data: Path, runs: Path) -> Path:
    """Write averaged.weights.h5 of a trained member and return it.

    With a range in the recipe: the equal-weight mean of every checkpoint in it, in float64, moving
    statistics included or re-estimated (model_families 9, checkpoint ranges). Without: the trained
    weights under that name. Raises UsageError where the training is not done or the range is empty.
    """
    member = recipe.member(name)
    run = Run.of(runs, recipe.name, name)
    run.need(run.trained, "train")
    run.freeze(member.frozen())
    if run.averaged.exists():
        return run.averaged
    if member.average is None:
        with replacing(run.averaged) as temporary:
            temporary.unlink(missing_ok=True)
            os.link(run.trained, temporary)
        return run.averaged
    found = checkpoints.weights_in(run.checkpoints, *member.average)
    if not found:
        raise UsageError(
            f"no checkpoint of steps {member.average[0]} to {member.average[1]} in {run.checkpoints}; "
            f"checkpoints are kept every {member.checkpoint_steps} steps."
        )
    model = model_of(member, recipe.dataset, member.precision)
    assign_mean(model, found)
    paths = records.find(data, "train")
    with closing(training_batches(member, recipe.dataset, paths, seed=member.seed + 1)) as batches:
        reestimate(model, batches, member.statistics_batches)
    save_weights(model, run.averaged)
    return run.averaged


def assign_mean(model: keras.Model, found: list[Path]) -> None:
    """Set the model's variables to their mean over kept checkpoints: memory for one sum, however many."""
    sums = [np.zeros(tuple(variable.shape), np.float64) for variable in model.variables]
    with progress.bar(len(found), "average", unit=" checkpoints") as bar:
        for path in found:
            arrays = list(checkpoints.read_weights(path))
            if [array.shape for array in arrays] != [total.shape for total in sums]:
                raise KitError(f"{path} is of another model; delete it to average without it.")
            for total, array in zip(sums, arrays):
                total += array
            bar.update()
    for variable, total in zip(model.variables, sums):
        # Seeds of random layers are not averaged: they are integers and of no use later.
        if "int" not in str(variable.dtype):
            variable.assign((total / len(found)).astype(np.float32))
