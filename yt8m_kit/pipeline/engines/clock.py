"""Time left: what stages took before, or what others of their verb took in this run."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import mean

from yt8m_kit.errors import KitError
from yt8m_kit.pipeline.stage import Stage


class Clock:
    """Seconds that stages took, and what is left at the current pace."""

    def __init__(self) -> None:
        self._began: dict[Path, tuple[Stage, float]] = {}
        self._took: dict[str, list[float]] = {}  # by verb
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

    def left(self, waiting: Iterable[Stage]) -> float | None:
        """Seconds for these stages and the rest of the running ones; None while that is unknown.

        At the mean number of stages at work until now.
        """
        now = time.monotonic()
        spent = [(stage, now - began) for stage, began in self._began.values()]
        work = 0.0
        for stage, seconds in (*((stage, 0.0) for stage in waiting), *spent):
            expected = self._expected(stage)
            if expected is None:
                return None
            work += max(0.0, expected - seconds)
        at_work = (self._work + sum(seconds for _, seconds in spent)) / max(now - self._start, 1e-3)
        return work / max(at_work, 1)

    def _expected(self, stage: Stage) -> float | None:
        """Seconds of a stage: those of its last product, else the mean of its verb."""
        with suppress(KitError):
            if record := stage.made():
                return record.seconds
        took = self._took.get(stage.verb)
        return mean(took) if took else None
