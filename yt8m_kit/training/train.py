"""From records and a recipe's member to trained weights, resumable at any step."""

import math
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import keras

from yt8m_kit import checkpoints, progress
from yt8m_kit.data import records
from yt8m_kit.data.mixup import mixed
from yt8m_kit.data.order import Position
from yt8m_kit.data.soft_labels import MANIFEST, SoftLabels
from yt8m_kit.loop import Loop
from yt8m_kit.moving_statistics import reestimate, without_moving
from yt8m_kit.optimizer import optimizer_of
from yt8m_kit.rebuild import assign, model_of, save_weights
from yt8m_kit.recipe import Member, Range, Recipe
from yt8m_kit.run import Run
from yt8m_kit.spec import Dataset
from yt8m_kit.steps import UNDER_WAY
from yt8m_kit.validation import validation_gap

AHEAD = 2  # batches read ahead of the step


def train(recipe: Recipe, name: str, data: Path, runs: Path, *, strict: bool = False) -> Path:
    """Train a member to the end of its steps and return trained.weights.h5; goes on where it was.

    Raises UsageError where the recipe differs from the one the run began with, KitError where the loss
    is no longer finite or a file cannot be written.
    """
    member = recipe.member(name)
    run = Run.of(runs, recipe.name, name)
    with run.alone():
        run.freeze(member.frozen())
        if run.trained.exists():
            return run.trained
        paths, faults = records.find(data, "train"), records.Faults()
        model = model_of(member, recipe.dataset, member.precision)
        loop = Loop(
            run=run,
            folder=run.checkpoints,
            member=member,
            model=model,
            optimizer=optimizer_of(member, member.learning_rate),
            total=total_steps(member, paths),
            batches=shuffled(recipe, member, paths, runs, strict, faults),
            keep=(member.average.first, member.average.last) if isinstance(member.average, Range) else None,
            validate=validator(model, member, recipe.dataset, data) if member.validate_steps else None,
        )
        loop.optimizer.build(model.trainable_variables)
        loop.go()
        if faults:
            progress.say(faults.summary())
        if member.keep_best:
            assign(model, checkpoints.read_weights(run.checkpoints / "weights-best.npz"))
        with closing(statistics_batches(member, recipe.dataset, paths)) as batches:
            reestimate(model, batches, member.statistics_batches)
        save_weights(model, run.trained)
    return run.trained


def shuffled(
    recipe: Recipe, member: Member, paths: list[Path], runs: Path, strict: bool, faults: records.Faults
) -> Callable[[Position], Generator[records.Batch]]:
    """A function from a position to the endless shuffled batches from there, read ahead.

    A batch's arrays are overwritten a few batches later. A member with a teacher gets mixed labels;
    UsageError where they are not there.
    """
    soft_labels = None
    if member.teacher is not None:
        teacher = Run.of(runs, recipe.name, member.teacher)
        teacher.need(teacher.soft_labels / MANIFEST, "distill")
        soft_labels = SoftLabels(teacher.soft_labels, member.teacher_weight)

    def batches(start: Position) -> Generator[records.Batch]:
        endless = records.batches(
            paths,
            recipe.dataset,
            member.batch_size // member.accumulate,
            seed=member.seed,
            epochs=None,
            start=start,
            strict=strict,
            faults=faults,
            reuse=AHEAD + UNDER_WAY + 1,
            soft_labels=soft_labels,
        )
        if member.mixup is not None:
            endless = mixed(endless, member.mixup, member.seed)
        return records.prefetch(endless, AHEAD)

    return batches


def statistics_batches(member: Member, dataset: Dataset, paths: list[Path]) -> Generator[records.Batch]:
    """Training batches in another order, to estimate BatchNorm statistics on."""
    order = member.seed + 1
    endless = records.batches(paths, dataset, member.batch_size, seed=order, epochs=None, reuse=AHEAD + 1)
    return records.prefetch(endless, AHEAD)


def validator(model: keras.Model, member: Member, dataset: Dataset, data: Path) -> Callable[[], float]:
    """A function that gives the model's validation GAP@20 as if training ended here, changing nothing."""
    train_paths, validate_paths = records.find(data, "train"), records.find(data, "validate")

    def validate() -> float:
        with without_moving(model), closing(statistics_batches(member, dataset, train_paths)) as batches:
            reestimate(model, batches, member.statistics_batches)
            return validation_gap(model, dataset, validate_paths, "validate")

    return validate


def total_steps(member: Member, paths: list[Path]) -> int:
    """Steps of the whole training; epochs are counted over the records of the train split."""
    if member.steps is not None:
        return member.steps
    assert member.epochs is not None
    return math.ceil(member.epochs * records.count(paths) / member.batch_size)
