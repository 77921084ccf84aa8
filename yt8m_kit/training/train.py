"""Train a member of a recipe, resumable at any step."""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.evaluation.validation import validation_gap
from yt8m_kit.inference.member_model import assign, model_of, save_weights
from yt8m_kit.output import progress
from yt8m_kit.pipeline.job import Job, working
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Member, Range
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath
from yt8m_kit.training import checkpoints
from yt8m_kit.training.batch_norm import reestimate, restored_statistics
from yt8m_kit.training.input_pipeline import shuffled, statistics_batches
from yt8m_kit.training.loop import Loop
from yt8m_kit.training.one_read.subscription import Subscription
from yt8m_kit.training.optimizer import Length, loss_of, optimizer_of
from yt8m_kit.training.transfer.initial_weights import take_initial

if TYPE_CHECKING:  # it needs JAX
    from yt8m_kit.training.distributed.workers import Workers


def train(
    experiment: Experiment,
    name: str,
    *,
    strict: bool = False,
    anew: bool = False,
    workers: "Workers | None" = None,
    subscription: Subscription | None = None,
) -> Path | None:
    """Train a member to the end of its steps, or resume its training; return trained.weights.h5.

    strict: a bad record raises DataError instead of being skipped. anew: start over; existing files are moved
    aside. workers: train on several devices; the first process writes the files, the others return None.
    subscription: take the batches from a process that reads them for several members.
    Raises UsageError if existing files were made with other settings or records, KitError if the loss is not
    finite or a file cannot be written.
    """
    stage = Stages(experiment).train(name)
    if workers and not workers.is_first:
        if workers.begun(stage.sources()):
            _loop(experiment, name, strict, workers).go()
        return None
    with working(stage, anew=anew) as job:
        is_wanted = workers.begun(stage.sources(), is_done=job.is_done) if workers else not job.is_done
        if is_wanted:
            model = _trained(experiment, name, job, strict, workers, subscription)
            with job.writing() as temporary:
                save_weights(model, temporary)
    return stage.main


def _trained(
    experiment: Experiment,
    name: str,
    job: Job,
    strict: bool,
    workers: "Workers | None",
    subscription: Subscription | None,
) -> keras.Model:
    """The trained model: last weights, or best ones (keep_best); BatchNorm statistics re-estimated."""
    dataset, member, run = experiment.recipe.dataset, experiment.recipe.member(name), experiment.run(name)
    loop = _loop(experiment, name, strict, workers, subscription)
    loop.go()
    job.figures = {"steps": loop.step} | {
        key: loop.notes[key] for key in ("best_gap", "initial") if key in loop.notes
    }
    if workers:
        job.figures["devices"] = workers.mesh.count
    if subscription:
        subscription.close()
        if others := [each for each in subscription.members if each != name]:
            job.figures["read_with"] = ", ".join(others)
    if loop.faults:
        progress.say(loop.faults.summary())
    if member.keep_best:
        assign(loop.model, checkpoints.read_weights(run.checkpoints / "weights-best.npz"))
    with closing(statistics_batches(member, dataset, paths_of(experiment, "train"))) as batches:
        reestimate(loop.model, batches, member.statistics_batches)
    return loop.model


def _loop(
    experiment: Experiment,
    name: str,
    strict: bool,
    workers: "Workers | None",
    subscription: Subscription | None = None,
) -> Loop:
    """The training loop of a member, with its model, optimiser and batches."""
    dataset, member, run = experiment.recipe.dataset, experiment.recipe.member(name), experiment.run(name)
    paths, faults = paths_of(experiment, "train"), Faults(dataset.max_skipped)
    model = model_of(member, dataset, member.precision)
    is_resumed = any(run.checkpoints.glob("state*.npz"))
    initial = None if is_resumed else take_initial(Stages(experiment), member, model)
    total = total_steps(member, paths)
    loop = Loop(
        run=run,
        folder=run.checkpoints,
        member=member,
        model=model,
        optimizer=optimizer_of(member, member.learning_rate, length_of(member, paths, total)),
        label_loss=loss_of(member, dataset),
        total=total,
        batches=shuffled(
            experiment,
            member,
            paths,
            faults,
            strict=strict,
            shares=workers.shares if workers else None,
            subscription=subscription,
        ),
        faults=faults,
        keep=(member.average.first, member.average.last) if isinstance(member.average, Range) else None,
        validate=validator(experiment, member, model) if member.validate_steps else None,
        workers=workers,
        notes={"initial": initial} if initial else {},
    )
    loop.optimizer.build(model.trainable_variables)
    return loop


def validator(experiment: Experiment, member: Member, model: keras.Model) -> Callable[[], float]:
    """A function that returns the model's validation GAP@20 and leaves the model unchanged.

    BatchNorm statistics are re-estimated for it, as at the end of training, and then restored.
    """
    dataset = experiment.recipe.dataset
    train_paths, validate_paths = (paths_of(experiment, split) for split in ("train", "validate"))

    def validate() -> float:
        with restored_statistics(model), closing(statistics_batches(member, dataset, train_paths)) as batches:
            reestimate(model, batches, member.statistics_batches)
            return validation_gap(model, dataset, validate_paths, "validate")

    return validate


def total_steps(member: Member, paths: Sequence[DataPath]) -> int:
    """Total number of steps; epochs are counted over the records of the train split."""
    if member.steps is not None:
        return member.steps
    assert member.epochs is not None
    return math.ceil(member.epochs * splits.count(paths) / member.batch_size)


def length_of(member: Member, paths: Sequence[DataPath], total: int) -> Length:
    """The length of a training; records are counted only where the learning rate goes by epochs.

    Warns of epochs in `steps_down` that the training does not reach.
    """
    if not (member.steps_down or member.warm_up):
        return Length(total)
    epoch = splits.count(paths) / member.batch_size
    if beyond := [each for each in member.steps_down if each * epoch >= total]:
        ends = f"the training ends after {total / epoch:.3g} epochs"
        progress.say(f"warning: {ends}, before steps_down at {', '.join(f'{each:g}' for each in beyond)}")
    return Length(total, epoch)
