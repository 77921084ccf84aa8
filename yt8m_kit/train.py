"""From records and a recipe's member to trained weights, resumable at any step."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yt8m_kit import checkpoints, progress
from yt8m_kit.data import records
from yt8m_kit.errors import KitError
from yt8m_kit.moving_statistics import reestimate
from yt8m_kit.rebuild import model_of, save_weights
from yt8m_kit.recipe import Member, Recipe
from yt8m_kit.run import Run
from yt8m_kit.spec import Dataset
from yt8m_kit.steps import make_step

LOG_STEPS = 50  # steps between rows of metrics.jsonl
AHEAD = 2  # batches read ahead of the step


class StoppedError(KitError):
    """Stopped by Ctrl-C after a checkpoint."""

    exit_code = 130


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
        paths = records.find(data, "train")
        model = model_of(member, recipe.dataset, member.precision)
        _train(model, member, recipe.dataset, paths, run, strict)
        batches = training_batches(member, recipe.dataset, paths, seed=member.seed + 1)
        with closing(batches):
            reestimate(model, batches, member.statistics_batches)
        save_weights(model, run.trained)
    return run.trained


def training_batches(
    member: Member,
    dataset: Dataset,
    paths: list[Path],
    *,
    seed: int,
    start: records.Position = records.Position(),  # noqa: B008 (immutable)
    strict: bool = False,
    faults: records.Faults | None = None,
) -> Iterator[records.Batch]:
    """Endless shuffled batches, read ahead; a batch's arrays are overwritten a few batches later."""
    endless = records.batches(
        paths, dataset, member.batch_size, seed=seed, epochs=None, start=start, strict=strict, faults=faults,
        reuse=AHEAD + 3,
    )  # fmt: skip
    return records.prefetch(endless, AHEAD)


def optimizer_of(member: Member) -> keras.Optimizer:
    """Adam with staircase decay by examples, each gradient clipped on its own (model_families 0)."""
    rate = keras.optimizers.schedules.ExponentialDecay(
        member.learning_rate, member.decay_examples / member.batch_size, member.decay, staircase=True
    )
    return keras.optimizers.Adam(rate, epsilon=1e-8, clipnorm=member.clip_norm)


def total_steps(member: Member, paths: list[Path]) -> int:
    """Steps of the whole training; epochs are counted over the records of the train split."""
    if member.steps is not None:
        return member.steps
    assert member.epochs is not None
    return math.ceil(member.epochs * records.count(paths) / member.batch_size)


def _train(
    model: keras.Model, member: Member, dataset: Dataset, paths: list[Path], run: Run, strict: bool
) -> None:
    optimizer = optimizer_of(member)
    optimizer.build(model.trainable_variables)
    first, position = _restore(model, optimizer, run)
    total = total_steps(member, paths)
    faults = records.Faults()
    batches = training_batches(
        member, dataset, paths, seed=member.seed, start=position, strict=strict, faults=faults
    )
    with closing(batches), _interrupts() as interrupted:
        _loop(model, optimizer, member, run, batches, first, total, interrupted)
    if faults.summary():
        progress.say(faults.summary())


def _loop(
    model: keras.Model,
    optimizer: keras.Optimizer,
    member: Member,
    run: Run,
    batches: Iterator[records.Batch],
    first: int,
    total: int,
    interrupted: list[bool],
) -> None:
    step, sync = make_step(model, optimizer, member.loss_epsilon)
    losses, since = [], time.perf_counter()
    with progress.bar(total * member.batch_size, run.path.name, initial=first * member.batch_size) as bar:
        for number, batch in zip(range(first + 1, total + 1), batches):
            losses.append(step(batch))
            bar.update(len(batch.ids))
            if number % LOG_STEPS == 0 or number == total:
                loss = _finite_loss(losses, number, optimizer, run)
                rate = len(losses) * member.batch_size / (time.perf_counter() - since)
                bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
                run.log({"step": number, "loss": loss, "videos_per_second": round(rate, 1)})
                losses, since = [], time.perf_counter()
            due = number % member.checkpoint_steps == 0 or number == total
            if due or interrupted:
                _finite_loss(losses, number, optimizer, run)
                sync()
                _save(model, optimizer, run, number, batch.position, keep=due and _averaged(member, number))
            if interrupted and number < total:
                raise StoppedError(f"interrupted at step {number} of {total}; the same command goes on there.")


def _averaged(member: Member, step: int) -> bool:
    return member.average is not None and member.average[0] <= step <= member.average[1]


def _finite_loss(losses: list[Any], step: int, optimizer: keras.Optimizer, run: Run) -> float:
    loss = float(np.mean([np.asarray(each) for each in losses])) if losses else 0.0
    if not math.isfinite(loss):
        rate = float(np.asarray(optimizer.learning_rate))
        raise KitError(
            f"the loss became {loss} before step {step} at learning rate {rate:g}. The last good "
            f"checkpoint is in {run.checkpoints}; lower the learning rate in the recipe."
        )
    return loss


def _restore(model: keras.Model, optimizer: keras.Optimizer, run: Run) -> tuple[int, records.Position]:
    state = checkpoints.load_state(run.checkpoints)
    if state is None:
        return 0, records.Position()
    for variables, values in ((model.variables, state.model), (optimizer.variables, state.optimizer)):
        if [tuple(v.shape) for v in variables] != [value.shape for value in values]:
            raise KitError(f"{run.checkpoints} is of another model; delete it to train from the start.")
        for variable, value in zip(variables, values):
            variable.assign(value)
    run.forget_after(state.step)
    progress.say(f"resuming {run.path} after step {state.step}")
    return state.step, state.position


def _save(
    model: keras.Model,
    optimizer: keras.Optimizer,
    run: Run,
    step: int,
    position: records.Position,
    keep: bool,
) -> None:
    weights = [np.asarray(variable) for variable in model.variables]
    slots = [np.asarray(variable) for variable in optimizer.variables]
    if keep:
        checkpoints.save_weights(run.checkpoints, step, weights)
    checkpoints.save_state(run.checkpoints, checkpoints.State(step, position, weights, slots))


@contextmanager
def _interrupts() -> Iterator[list[bool]]:
    """A list that becomes true at the first Ctrl-C, so that the step can end; a second one kills."""
    flag: list[bool] = []

    def note(*_: Any) -> None:
        flag.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)
