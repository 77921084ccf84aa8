"""From records and a recipe's member to trained weights, resumable at any step."""

import math
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yt8m_kit import checkpoints, progress
from yt8m_kit.data import records
from yt8m_kit.data.order import Position
from yt8m_kit.errors import KitError
from yt8m_kit.moving_statistics import reestimate
from yt8m_kit.rebuild import model_of, save_weights
from yt8m_kit.recipe import Member, Recipe
from yt8m_kit.run import Run
from yt8m_kit.spec import Dataset
from yt8m_kit.steps import UNDER_WAY, make_step

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
        model = _Training(member, recipe.dataset, paths, run).go_on(strict)
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
    start: Position = Position(),  # noqa: B008 (immutable)
    strict: bool = False,
    faults: records.Faults | None = None,
) -> Generator[records.Batch]:
    """Endless shuffled batches, read ahead; a batch's arrays are overwritten a few batches later."""
    endless = records.batches(
        paths, dataset, member.batch_size, seed=seed, epochs=None, start=start, strict=strict, faults=faults,
        reuse=AHEAD + UNDER_WAY + 1,
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


class _Training:
    """A member's model and optimiser on their way through its steps."""

    def __init__(self, member: Member, dataset: Dataset, paths: list[Path], run: Run):
        self.member, self.dataset, self.paths, self.run = member, dataset, paths, run
        self.model = model_of(member, dataset, member.precision)
        self.optimizer = optimizer_of(member)
        self.optimizer.build(self.model.trainable_variables)
        self.total = total_steps(member, paths)
        self.step, self.position = 0, Position()

    def go_on(self, strict: bool) -> keras.Model:
        """Train from the last state to the last step and return the model."""
        self._restore()
        faults = records.Faults()
        batches = training_batches(
            self.member,
            self.dataset,
            self.paths,
            seed=self.member.seed,
            start=self.position,
            strict=strict,
            faults=faults,
        )
        with closing(batches), _interrupts() as interrupted:
            self._loop(batches, interrupted)
        if faults:
            progress.say(faults.summary())
        return self.model

    def _loop(self, batches: Iterator[records.Batch], interrupted: list[bool]) -> None:
        train_on, sync = make_step(self.model, self.optimizer, self.member.loss_epsilon)
        size, losses, since = self.member.batch_size, [], time.perf_counter()
        with progress.bar(self.total * size, self.run.path.name, initial=self.step * size) as bar:
            for number, batch in zip(range(self.step + 1, self.total + 1), batches):
                losses.append(train_on(batch))
                self.step, self.position = number, batch.position
                bar.update(size)
                due = self.step % self.member.checkpoint_steps == 0 or self.step == self.total
                if self.step % LOG_STEPS == 0 or due or interrupted:
                    loss = self._finite(losses)
                    bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
                    rate = len(losses) * size / (time.perf_counter() - since)
                    self.run.log({"step": self.step, "loss": loss, "videos_per_second": round(rate, 1)})
                    losses, since = [], time.perf_counter()
                if due or interrupted:
                    sync()
                    self._save(keep=due and self._is_averaged())
                if interrupted and self.step < self.total:
                    raise StoppedError(
                        f"interrupted at step {self.step} of {self.total}; the same command goes on there."
                    )

    def _is_averaged(self) -> bool:
        average = self.member.average
        return average is not None and average[0] <= self.step <= average[1]

    def _finite(self, losses: list[Any]) -> float:
        loss = float(np.mean([np.asarray(each) for each in losses]))
        if not math.isfinite(loss):
            rate = float(np.asarray(self.optimizer.learning_rate))
            raise KitError(
                f"the loss became {loss} before step {self.step} at learning rate {rate:g}. The last good "
                f"checkpoint is in {self.run.checkpoints}; lower the learning rate in the recipe."
            )
        return loss

    def _restore(self) -> None:
        state = checkpoints.load_state(self.run.checkpoints)
        if state is None:
            return
        variables, values = [*self.model.variables, *self.optimizer.variables], state.model + state.optimizer
        if [tuple(v.shape) for v in variables] != [value.shape for value in values]:
            raise KitError(f"{self.run.checkpoints} is of another model; delete it to train from the start.")
        for variable, value in zip(variables, values):
            variable.assign(value)
        self.step, self.position = state.step, state.position
        self.run.forget_after(self.step)
        progress.say(f"resuming {self.run.path} after step {self.step}")

    def _save(self, keep: bool) -> None:
        weights = [keras.ops.convert_to_numpy(variable) for variable in self.model.variables]
        slots = [keras.ops.convert_to_numpy(variable) for variable in self.optimizer.variables]
        if keep:
            checkpoints.save_weights(self.run.checkpoints, self.step, weights)
        state = checkpoints.State(self.step, self.position, weights, slots)
        checkpoints.save_state(self.run.checkpoints, state)


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
