"""The view of a run of many stages: what runs where, what is done, time left."""

import sys
import time
from collections.abc import Sequence

from yt8m_kit.output import progress
from yt8m_kit.output.progress import LOG_INTERVAL

INTERVAL = 1.0  # seconds between updates of a terminal
WIDTH = 100  # columns of a line that is rewritten


class Board:
    """Lines on stderr that are rewritten in a terminal; elsewhere they are printed every LOG_INTERVAL s."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._shown = 0  # lines to be rewritten
        self._next = time.monotonic() + self._interval

    @property
    def _interval(self) -> float:
        return INTERVAL if self._is_terminal else LOG_INTERVAL

    @property
    def is_due(self) -> bool:
        """Whether it is time for another `show`."""
        return time.monotonic() >= self._next

    def show(self, lines: Sequence[str]) -> None:
        """Show the current state."""
        self.clear()
        for line in lines:
            progress.say(line[:WIDTH] if self._is_terminal else line)
        self._shown = len(lines) if self._is_terminal else 0
        self._next = time.monotonic() + self._interval

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self.clear()
        progress.say(line)

    def clear(self) -> None:
        """Erase the lines of the last `show`; the next one is due at once."""
        if self._shown:
            sys.stderr.write(f"\x1b[{self._shown}A\x1b[J")
            self._shown, self._next = 0, 0.0
