"""Time left: what stages took before, or what others of their verb took."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from yt8m_kit.errors import KitError
from yt8m_kit.output.progress import duration
from yt8m_kit.pipeline.stage import Stage


class Left(NamedTuple):
    """Seconds left; is_least: of some stages nothing is known."""

    seconds: float
    is_least: bool

    def __str__(self) -> str:
        return f"{'at least' if self.is_least else 'about'} {duration(self.seconds)} left"


class Clock:
    """Seconds that stages took, and what is left at the current pace. earlier: stages of the same recipe."""

    def __init__(self, earlier: Iterable[Stage] = ()) -> None:
        self._began: dict[Path, tuple[Stage, float]] = {}
        self._took: dict[str, list[float]] = {}  # by verb
        for stage in earlier:
            if (seconds := _seconds(stage)) is not None:
                self._took.setdefault(stage.verb, []).append(seconds)
        self._start, self._work = time.monotonic(), 0.0

    def begin(self, stage: Stage) -> None:
        """Note the start of a stage."""
        self._began[stage.main] = stage, time.monotonic()

    def end(self, stage: Stage) -> float:
        """Note the end of a stage; return its seconds."""
        took = time.monotonic() - self._began.pop(stage.main)[1]
        self._took.setdefault(stage.verb, []).append(took)
        self._work += took
        return took

    def left(self, waiting: Iterable[Stage]) -> Left | None:
        """Time for these stages and the rest of the running ones; None while nothing of them is known.

        At the mean number of stages at work until now.
        """
        now = time.monotonic()
        spent = [(stage, now - began) for stage, began in self._began.values()]
        stages = [*((stage, 0.0) for stage in waiting), *spent]
        expected = [(self._expected(stage), seconds) for stage, seconds in stages]
        rests = [max(0.0, whole - seconds) for whole, seconds in expected if whole is not None]
        if not any(rests):
            return None
        at_work = (self._work + sum(seconds for _, seconds in spent)) / max(now - self._start, 1e-3)
        return Left(sum(rests) / max(at_work, 1), len(rests) < len(expected))

    def _expected(self, stage: Stage) -> float | None:
        """Seconds of a stage: those of its last product, else the mean of its verb."""
        if (own := _seconds(stage)) is not None:
            return own
        took = self._took.get(stage.verb)
        return mean(took) if took else None


def _seconds(stage: Stage) -> float | None:
    """What a stage took when it was last made; None if it never was, or its record is damaged."""
    with suppress(KitError):
        if record := stage.made():
            return record.seconds
    return None
