"""Progress of long steps on stderr: a bar with rate and time left, and remarks that do not break it."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm import tqdm

LOG_INTERVAL, LOG_WIDTH = 10.0, 100  # seconds between lines where stderr is no terminal; characters of a line
LINES = "YT8M_LINES"  # SECONDS,CHARACTERS in place of these, for a process whose lines another one shows


class _LogLines:
    """stderr for a tqdm bar outside a terminal: each state becomes a line, cursor movements are dropped."""

    def write(self, text: str) -> None:
        state = text.strip()  # tqdm writes "\r", padding and a bare "\n" around it
        if state:
            sys.stderr.write(f"{state}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def bar(total: int | None, what: str, unit: str = " videos", initial: int = 0, *, shown: bool = True) -> Any:
    """A tqdm bar on stderr with rate and time left; without a terminal, plain lines every LOG_INTERVAL s.

    total: None if unknown. unit: " videos", " segments" and "B" are scaled (k, M, G). initial: units done
    before this run. shown: false for a process whose progress another one shows. $YT8M_LINES: see LINES.
    """
    terminal = sys.stderr.isatty()
    seconds, width = os.environ.get(LINES, f"{LOG_INTERVAL},{LOG_WIDTH}").split(",")
    return tqdm(
        total=total,
        disable=not shown,
        initial=initial,
        desc=what,
        unit=unit,
        unit_scale=unit in (" videos", " segments", "B"),
        file=sys.stderr if terminal else _LogLines(),
        dynamic_ncols=terminal,
        ncols=None if terminal else int(width),
        mininterval=0.2 if terminal else float(seconds),
        miniters=1,
        position=None if terminal else 0,  # bars inside a bar would move the cursor
    )


_SAID: ContextVar[set[str] | None] = ContextVar("said", default=None)


def say(line: str) -> None:
    """Print a line on stderr without breaking a bar."""
    said = _SAID.get()
    if said is None or line not in said:
        tqdm.write(line, file=sys.stderr)
    if said is not None:
        said.add(line)


@contextmanager
def saying_once() -> Iterator[None]:
    """Context manager in which `say` prints a line only once, for work that reads a file several times."""
    token = _SAID.set(set())
    try:
        yield
    finally:
        _SAID.reset(token)


@contextmanager
def work(what: str, details: str = "") -> Iterator[Callable[[str], None]]:
    """Say what begins; the function that is yielded says what was made, after how long."""
    began = time.monotonic()
    say(f"{what}{': ' * bool(details)}{details}")
    yield lambda made: say(f"{what}: done in {duration(time.monotonic() - began)}, {made}")


def amount(size: float) -> str:
    """Bytes with an SI prefix, as in the bar: 5.49GB."""
    return f"{tqdm.format_sizeof(size)}B"


def duration(seconds: float) -> str:
    """Seconds as [H:]MM:SS, as in the bar: 02:07."""
    return str(tqdm.format_interval(seconds))


def plural(count: int, noun: str) -> str:
    """Count with singular or plural noun: 1 shard, 2 shards."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
