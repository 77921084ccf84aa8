"""Runs stages on an engine: each once its inputs are made, at most one at a time in a run's folder."""

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from yt8m_kit.errors import KitError
from yt8m_kit.machine import signals
from yt8m_kit.output.progress import duration, plural
from yt8m_kit.pipeline.engines.activity import at_work
from yt8m_kit.pipeline.engines.board import Board
from yt8m_kit.pipeline.engines.clock import Clock
from yt8m_kit.pipeline.engines.task import BY_SHARD, SHARDS, Engine, Outcome, Task
from yt8m_kit.pipeline.job import put_aside
from yt8m_kit.pipeline.part import Part
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import Inspection, State

WAIT = 0.5  # seconds between looks at the board


class StageError(KitError):
    """Failed stages, whose reasons have been printed."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


class Schedule:
    """The stages of one command that are missing or stale, in topological order.

    A failed stage stops those that depend on it, and no others. anew: also start over interrupted attempts
    from other sources. others: further stages of the recipe, whose durations tell the time left.
    """

    def __init__(
        self, stages: Sequence[Stage], engine: Engine, *, anew: bool = False, others: Sequence[Stage] = ()
    ):
        self._engine, self._anew = engine, anew
        self._waiting = {stage.main: stage for stage in stages}
        self._numbers = {main: number for number, main in enumerate(self._waiting, 1)}
        self._working: dict[Path, Stage] = {}
        self._queue: deque[Task] = deque()
        self._parts: dict[Path, int] = {}  # parts that have not ended, by main file of their stage
        self._failed: dict[Path, tuple[Stage, Outcome]] = {}
        self._blocked: set[Path] = set()
        self._board, self._clock = Board(), Clock(others)

    def run(self) -> None:
        """Make all stages. Raises StageError, with the exit code of the first failed stage, if any failed."""
        with signals.noted() as request:
            try:
                self._run(request)
            finally:
                self._board.clear()
                self._engine.stop(request.number or signal.SIGINT)
        if self._failed:
            raise self._error()

    def _run(self, request: signals.Request) -> None:
        while self._waiting or self._working:
            request.raise_again()
            self._start_ready()
            for task, outcome in self._engine.finished(WAIT) if self._working else ():
                self._end(task, outcome)
            if not self._engine.shows_output and self._board.is_due:
                self._board.show([*self._view()])

    def _start_ready(self) -> None:
        self._start_queued()
        for stage in [*self._waiting.values()]:
            if any(need.main in self._failed or need.main in self._blocked for need in stage.needs):
                del self._waiting[stage.main]
                self._blocked.add(stage.main)
            elif self._is_ready(stage) and self._engine.is_free():
                del self._waiting[stage.main]
                self._attempt(stage)
        self._start_queued()

    def _start_queued(self) -> None:
        while self._queue and self._engine.is_free():
            self._engine.start(self._queue.popleft())

    def _is_ready(self, stage: Stage) -> bool:
        """Whether all inputs are made and no other stage is at work in the run."""
        unmade = self._waiting.keys() | self._working.keys()
        runs = {each.run.path for each in self._working.values()}
        return not any(need.main in unmade for need in stage.needs) and stage.run.path not in runs

    def _attempt(self, stage: Stage) -> None:
        """Start a stage, unless its inputs were made again with equal content."""
        try:
            state = Inspection().state(stage)
            if state.kind != "up to date":
                self._start(stage, state)
        except KitError as error:
            self._fail(stage, Outcome(error.exit_code, str(error)))
            self._working.pop(stage.main, None)

    def _start(self, stage: Stage, state: State) -> None:
        anew = state.kind in ("stale", "damaged") or (self._anew and bool(state.reasons))
        count = self._parts_of(stage)
        if count > 1 and anew:
            with stage.run.alone(stage.words):
                put_aside(stage)
        parts = f" in {count} parts" * (count > 1)
        self._board.say(f"{self._title(stage)}{parts}{why(state)}{self._time_left(stage)}")
        self._working[stage.main] = stage
        self._clock.begin(stage)
        if count < 2:
            return self._engine.start(Task(stage, anew=anew))
        self._parts[stage.main] = count
        self._queue += [Task(stage, Part(number, count)) for number in range(1, count + 1)]

    def _parts_of(self, stage: Stage) -> int:
        """Parts of a stage: as many as can run at the same time, each of SHARDS shards or more."""
        if stage.verb not in BY_SHARD or stage.only_formats:
            return 1
        return min(self._engine.slots(stage.verb), len(stage.shards(stage.reads[0]) or ()) // SHARDS)

    def _end(self, task: Task, outcome: Outcome) -> None:
        stage = task.stage
        if task.part:
            self._parts[stage.main] -= 1
        if outcome.code and stage.main not in self._failed:
            self._fail(stage, outcome)
            self._drop_queued(stage)
        if self._parts.get(stage.main):
            return
        if stage.main in self._failed or not task.part:
            self._finish(stage)
        else:
            self._queue.appendleft(Task(stage))  # joins the parts

    def _drop_queued(self, stage: Stage) -> None:
        """Forget the parts of a failed stage that have not started."""
        kept = [task for task in self._queue if task.stage.main != stage.main]
        self._parts[stage.main] = self._parts.get(stage.main, 0) - (len(self._queue) - len(kept))
        self._queue = deque(kept)

    def _finish(self, stage: Stage) -> None:
        del self._working[stage.main]
        took = self._clock.end(stage)
        if not self._engine.shows_output and stage.main not in self._failed:
            self._board.say(f"{self._title(stage)}: done in {duration(took)}")

    def _fail(self, stage: Stage, outcome: Outcome) -> None:
        self._failed[stage.main] = stage, outcome
        if outcome.said:
            self._board.say(f"{self._title(stage)} failed: {outcome.said}")

    def _title(self, stage: Stage) -> str:
        return f"[{self._numbers[stage.main]} of {len(self._numbers)}] {' '.join(stage.words)}"

    def _view(self) -> Iterator[str]:
        """What is done, time left, and what runs where."""
        not_done = self._waiting.keys() | self._working.keys() | self._failed.keys() | self._blocked
        time_left = self._time_left()
        failed = f", {len(self._failed)} failed" * bool(self._failed)
        done = f"{len(self._numbers.keys() - not_done)} of {len(self._numbers)} done"
        yield f"{done}, {len(self._working)} at work{failed}{time_left}"
        for stage in self._working.values():
            yield from (
                f"  {line}" for line in at_work(stage) or [f"{' '.join(stage.words)}: waiting to start"]
            )

    def _time_left(self, *starting: Stage) -> str:
        """Time left of the whole, from what stages took before; empty while nothing is known."""
        left = self._clock.left([*starting, *self._waiting.values()])
        return "" if left is None else f", {left}"

    def _error(self) -> StageError:
        commands = ", ".join(stage.command for stage, _ in self._failed.values())
        count = plural(len(self._blocked), "dependent stage")
        blocked = f"; {count} did not run" if self._blocked else ""
        _, first = next(iter(self._failed.values()))
        return StageError(f"failed: {commands}{blocked}.", first.code)


def why(state: State) -> str:
    """The first reason why a product is made again, in parentheses."""
    return f" ({state.kind}: {state.reasons[0]})" if state.kind in ("stale", "damaged") else ""
