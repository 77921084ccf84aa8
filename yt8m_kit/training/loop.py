"""The training loop: log, validate, checkpoint, resume."""

import math
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.recipe import Member
from yt8m_kit.run import Run
from yt8m_kit.training import checkpoints
from yt8m_kit.training.ema import ExponentialMovingAverage
from yt8m_kit.training.log import TrainingLog
from yt8m_kit.training.optimizer import ClippedAdam
from yt8m_kit.training.steps import Stepper, make_step

LOG_STEPS = 50  # steps between rows of metrics.jsonl

Batches = Callable[[Position], Generator[Batch]]


class StoppedError(KitError):
    """Stopped by Ctrl-C after a checkpoint."""

    exit_code = 130


@dataclass
class Loop:
    """One stage of training: a model and an optimiser over `total` steps.

    folder: of the checkpoints. keep: first and last step of the weights kept for averaging.
    faults: of `batches`, whose skipped share the bar shows.
    validate: returns the model's validation GAP@20, called every member.validate_steps steps.
    shadows: moving averages to update, if any. Training resumes from the last checkpoint in `folder`.
    """

    run: Run
    folder: Path
    member: Member
    model: keras.Model
    optimizer: ClippedAdam
    total: int
    batches: Batches
    faults: Faults
    keep: tuple[int, int] | None = None
    validate: Callable[[], float] | None = None
    shadows: ExponentialMovingAverage | None = None
    step: int = 0
    position: Position = field(default_factory=Position)
    notes: dict[str, Any] = field(default_factory=dict)

    def go(self) -> None:
        """Train from the last checkpoint to the last step, or until early stopping.

        Raises StoppedError on Ctrl-C after a checkpoint, KitError if the loss is not finite.
        """
        self._restore()
        if self.step >= self.total or "stopped" in self.notes:
            return
        log = TrainingLog(self.run.metrics, self.folder.name, self.folder.parent / "tensorboard", self.step)
        stepper = make_step(self.model, self.optimizer, self.member.loss_epsilon)
        with closing(self.batches(self.position)) as batches, closing(log), _interrupts() as interrupted:
            self._steps(batches, stepper, log, interrupted)

    def _steps(
        self,
        batches: Iterator[Batch],
        stepper: Stepper,
        log: TrainingLog,
        interrupted: list[bool],
    ) -> None:
        size, losses, since = self.member.batch_size, [], time.perf_counter()
        with progress.bar(self.total * size, self.run.path.name, initial=self.step * size) as bar:
            while self.step < self.total and "stopped" not in self.notes:
                losses.append(self._one(batches, stepper))
                bar.update(size)
                due = self.step % self.member.checkpoint_steps == 0 or self.step == self.total
                if self.step % LOG_STEPS == 0 or due or interrupted:
                    loss = self._finite(losses)
                    bar.set_postfix(loss=f"{loss:.4g}", **self.faults.progress, refresh=False)
                    rate = len(losses) * size / (time.perf_counter() - since)
                    figures = {"loss": loss, "learning_rate": self._rate(), "videos_per_second": rate}
                    log.append(self.step, figures)
                    losses, since = [], time.perf_counter()
                if self._is_validated():
                    stepper.sync()
                    log.append(self.step, {"validation_gap": self._validated()})
                    since = time.perf_counter()
                if due or interrupted or "stopped" in self.notes:
                    stepper.sync()
                    self._save(keep=due and self._is_kept())
                if interrupted and self.step < self.total:
                    raise StoppedError(
                        f"interrupted at step {self.step} of {self.total}; the same command resumes there."
                    )

    def _one(self, batches: Iterator[Batch], stepper: Stepper) -> Any:
        """One update: forward and backward passes of `accumulate` batches; returns their mean loss."""
        losses = []
        for batch in (next(batches) for _ in range(self.member.accumulate)):
            losses.append(stepper.step(batch))
            self.position = batch.position
        self.step += 1
        if self.shadows:
            self.shadows.update(stepper.values())
        return losses[0] if len(losses) == 1 else np.mean([np.asarray(loss) for loss in losses])

    def _is_kept(self) -> bool:
        return self.keep is not None and self.keep[0] <= self.step <= self.keep[1]

    def _is_validated(self) -> bool:
        every = self.member.validate_steps
        return every is not None and (self.step % every == 0 or self.step == self.total)

    def _validated(self) -> float:
        """Validate; record the best GAP@20, save its weights if asked to, stop when patience runs out."""
        assert self.validate is not None
        gap = self.validate()
        if gap > self.notes.get("best_gap", -1.0):
            self.notes |= {"best_gap": gap, "best_step": self.step}
            if self.member.keep_best:
                checkpoints.save_weights(self.folder, "best", _arrays(self.model.variables))
        elif self.member.patience and self.step - self.notes["best_step"] >= self.member.patience:
            self.notes["stopped"] = self.step
            progress.say(f"stopped at step {self.step}: GAP@20 was best at step {self.notes['best_step']}")
        return gap

    def _rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    def _finite(self, losses: list[Any]) -> float:
        loss = float(np.mean([np.asarray(each) for each in losses]))
        if not math.isfinite(loss):
            raise KitError(
                f"the loss became {loss} before step {self.step} at learning rate {self._rate():g}. The last "
                f"good checkpoint is in {self.folder}; lower the learning rate in the recipe."
            )
        return loss

    def _restore(self) -> None:
        state = checkpoints.load_state(self.folder)
        if state is None:
            return
        variables, values = [*self.model.variables, *self.optimizer.variables], state.model + state.optimizer
        if [tuple(v.shape) for v in variables] != [value.shape for value in values]:
            raise KitError(f"{self.folder} belongs to another model; delete it to train from the start.")
        for variable, value in zip(variables, values):
            variable.assign(value)
        if self.shadows:
            self.shadows.load_state(state.shadows)
        self.step, self.position, self.notes = state.step, state.position, state.notes
        progress.say(f"resuming {self.run.path} after step {self.step}")

    def _save(self, keep: bool) -> None:
        weights, slots = _arrays(self.model.variables), _arrays(self.optimizer.variables)
        if keep:
            checkpoints.save_weights(self.folder, f"{self.step:08d}", weights)
        shadows = self.shadows.state() if self.shadows else []
        state = checkpoints.State(self.step, self.position, weights, slots, list(shadows), self.notes)
        checkpoints.save_state(self.folder, state)


def _arrays(variables: list[Any]) -> list[Any]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@contextmanager
def _interrupts() -> Iterator[list[bool]]:
    """A list that becomes non-empty at the first Ctrl-C, so that the step completes; a second one kills."""
    flag: list[bool] = []

    def note(*_: Any) -> None:
        flag.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)
