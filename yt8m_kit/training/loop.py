"""The training loop: log, validate, checkpoint, resume."""

import math
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.errors import KitError
from yt8m_kit.layers.losses import LabelLoss
from yt8m_kit.machine import signals
from yt8m_kit.machine.space import check_space
from yt8m_kit.output import progress
from yt8m_kit.recipe import Member
from yt8m_kit.run import Run
from yt8m_kit.training import checkpoints
from yt8m_kit.training.ema import ExponentialMovingAverage
from yt8m_kit.training.log import Losses, TrainingLog
from yt8m_kit.training.optimizer import ClippedAdam
from yt8m_kit.training.steps import Stepper, make_step

if TYPE_CHECKING:  # it needs JAX
    from yt8m_kit.training.distributed.workers import Workers

LOG_STEPS = 50  # steps between rows of metrics.jsonl

COMPILING = "compiling the step"  # beside the bar, until the first step is done
UNVALIDATED = "unvalidated"  # note: the validation of this step is still to be done

Batches = Callable[[Any], Generator[Any]]


class StoppedError(KitError):
    """Stopped by a signal after a checkpoint."""

    def __init__(self, number: int, step: int, total: int):
        how = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
        super().__init__(f"{how} at step {step} of {total}; the same command resumes there.")
        self.exit_code = signals.exit_code(number)


@dataclass
class Loop:
    """One stage of training: a model and an optimiser over `total` steps.

    folder: of the checkpoints. keep: first and last step of the weights kept for averaging.
    faults: of `batches`, whose skipped share the bar shows.
    validate: returns the model's validation GAP@20, called every member.validate_steps steps.
    shadows: moving averages to update, if any. workers: of a training on several devices, whose batches are
    tuples, one Batch for each device of this process. Training resumes from the last checkpoint in `folder`.
    """

    run: Run
    folder: Path
    member: Member
    model: keras.Model
    optimizer: ClippedAdam
    label_loss: LabelLoss
    total: int
    batches: Batches
    faults: Faults
    keep: tuple[int, int] | None = None
    validate: Callable[[], float] | None = None
    shadows: ExponentialMovingAverage | None = None
    workers: "Workers | None" = None
    step: int = 0
    position: Any = field(default_factory=Position)  # of several devices a tuple, one for each
    notes: dict[str, Any] = field(default_factory=dict)
    _saved: float = field(default_factory=time.monotonic)  # when the last checkpoint was written

    def go(self) -> None:
        """Train from the last checkpoint to the last step, or until early stopping.

        Raises StoppedError, after a checkpoint, on Ctrl-C, SIGTERM or SIGUSR1; KitError if the loss is not
        finite.
        """
        if self.workers:
            self.position = (Position(),) * self.workers.mesh.count
        self._restore()
        if self.workers:
            self.workers.check_equal("other weights or another checkpoint", self._fingerprint())
        if not self._is_over():
            self._train()
        elif self.workers:
            self.workers.leave()

    def _train(self) -> None:
        if self._writes:
            self._check_space()
        stepper, log = self._stepper(), self._open_log()
        with closing(self.batches(self.position)) as batches, signals.noted() as request:
            if self.workers:
                self.workers.request = request
            self._steps(batches, stepper, log, request)
            if self.workers:
                self.workers.leave()
            self._stop_for(self._asked(request) or request.number)

    @property
    def _writes(self) -> bool:
        """Whether this process writes the files."""
        return self.workers is None or self.workers.is_first

    def _open_log(self) -> TrainingLog:
        return TrainingLog(self.run.metrics, self.folder.name, self.step, written=self._writes)

    def _stepper(self) -> Stepper:
        if self.workers is None:
            return make_step(self.model, self.optimizer, self.label_loss)
        from yt8m_kit.training.distributed.step import sharded_step

        return sharded_step(self.model, self.optimizer, self.label_loss, self.workers)

    def _asked(self, request: signals.Request) -> int:
        """The signal that asks for an end, agreed on by all workers."""
        return self.workers.agreed if self.workers else request.number

    def _fingerprint(self) -> list[Any]:
        """What must be equal in all workers when the first step begins."""
        variables = [*self.model.variables, *self.optimizer.variables]
        return [self.step, self.total, *(sha256(array.tobytes()).hexdigest() for array in _arrays(variables))]

    def _check_space(self) -> None:
        """Raise KitError where the checkpoints to come surely do not fit on the disk."""
        weights, slots = (4 * _numbers(group) for group in (self.model.variables, self.optimizer.variables))
        shadows = 2 * weights if self.shadows else 0
        every = self.member.checkpoint_steps
        later = [*range(self.step // every * every + every, self.total, every), self.total]
        first, last = self.keep or (self.total + 1, self.total)
        kept = sum(first <= step <= last for step in later)
        needed = checkpoints.bytes_to_come(
            self.folder, weights + slots + shadows, weights, saves=len(later), kept=kept
        )
        check_space(self.folder, needed, f"training to step {self.total}")

    def _is_over(self) -> bool:
        """Whether the last step is done, and its validation."""
        return UNVALIDATED not in self.notes and (self.step >= self.total or "stopped" in self.notes)

    def _stop_for(self, number: int) -> None:
        if number:
            raise StoppedError(number, self.step, self.total)

    def _steps(
        self, batches: Iterator[Batch], stepper: Stepper, log: TrainingLog, request: signals.Request
    ) -> None:
        size, losses = self.member.batch_size, Losses(log, self.member.batch_size)
        label = self.run.path.name
        with progress.bar(self.total * size, label, initial=self.step * size, shown=self._writes) as bar:
            if UNVALIDATED in self.notes:
                self._validate(stepper, log, request)
                self._save(keep=False)
                if UNVALIDATED in self.notes:
                    return
            bar.set_postfix_str(COMPILING)
            while not self._is_over():
                losses.add(self._one(batches, stepper))
                bar.update(size)
                bar.postfix = None if bar.postfix == COMPILING else bar.postfix
                is_saved = bool(self._asked(request)) or self._is_due()
                if is_saved or self.step % LOG_STEPS == 0:
                    self._log(losses, bar)
                if self._is_validated():
                    self.notes[UNVALIDATED] = True
                    self._validate(stepper, log, request)
                    losses.restart_clock()
                stop = self._asked(request)
                if is_saved or stop or "stopped" in self.notes:
                    self._log(losses, bar)
                    stepper.sync()
                    self._save(keep=self._is_kept())
                if stop:
                    return

    def _log(self, losses: "Losses", bar: Any) -> None:
        """Write a row of the log if there are new losses. Raises KitError if they are not finite."""
        if losses.values:
            loss = self._finite(losses.values)
            bar.set_postfix(loss=f"{loss:.4g}", **self.faults.progress, refresh=False)
            losses.write(self.step, loss, self._rate())

    def _is_due(self) -> bool:
        """Whether a checkpoint is due, by steps or by time."""
        late = time.monotonic() - self._saved >= 60 * self.member.checkpoint_minutes
        return late or self._is_due_by_steps()

    def _is_due_by_steps(self) -> bool:
        return self.step % self.member.checkpoint_steps == 0 or self.step == self.total

    def _one(self, batches: Iterator[Batch], stepper: Stepper) -> Any:
        """One update: forward and backward passes of `accumulate` batches; returns their mean loss."""
        losses = []
        for batch in (next(batches) for _ in range(self.member.accumulate)):
            losses.append(stepper.step(batch))
            if self.workers is None:
                self.position = batch.position
        self.step += 1
        if self.shadows:
            self.shadows.update(stepper.values())
        return losses[0] if len(losses) == 1 else np.mean([np.asarray(loss) for loss in losses])

    def _is_kept(self) -> bool:
        """Whether the weights of this step are kept for averaging."""
        return self.keep is not None and self.keep[0] <= self.step <= self.keep[1] and self._is_due_by_steps()

    def _is_validated(self) -> bool:
        every = self.member.validate_steps
        return every is not None and (self.step % every == 0 or self.step == self.total)

    def _validate(self, stepper: Stepper, log: TrainingLog, request: signals.Request) -> None:
        """Validate at this step, unless a signal asks for an end before or meanwhile."""
        assert self.validate is not None
        if self._asked(request):
            return
        stepper.sync()
        try:
            if self.workers:
                gap = self.workers.scored(self.validate)
            else:
                with signals.raised(signals.ALL):
                    gap = self.validate()
        except signals.TerminatedError as stop:
            request.number = stop.number
            return
        del self.notes[UNVALIDATED]
        self._note(gap)
        log.append(self.step, {"validation_gap": gap})

    def _note(self, gap: float) -> None:
        """Record the best GAP@20, save its weights if asked to, stop when patience runs out."""
        if gap > self.notes.get("best_gap", -1.0):
            self.notes |= {"best_gap": gap, "best_step": self.step}
            if self.member.keep_best and self._writes:
                checkpoints.save_weights(self.folder, "best", _arrays(self.model.variables))
        elif self.member.patience and self.step - self.notes["best_step"] >= self.member.patience:
            self.notes["stopped"] = self.step
            progress.say(f"stopped at step {self.step}: GAP@20 was best at step {self.notes['best_step']}")

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
        checkpoints.check_devices(self.folder, state, self.workers.mesh.count if self.workers else 1)
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
        if self.workers:
            self.position = self.workers.positions() or self.position
        if not self._writes:
            return
        weights, slots = _arrays(self.model.variables), _arrays(self.optimizer.variables)
        if keep:
            checkpoints.save_weights(self.folder, f"{self.step:08d}", weights)
        shadows = self.shadows.state() if self.shadows else []
        state = checkpoints.State(self.step, self.position, weights, slots, list(shadows), self.notes)
        checkpoints.save_state(self.folder, state)
        self._saved = time.monotonic()


def _numbers(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _arrays(variables: list[Any]) -> list[Any]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]
