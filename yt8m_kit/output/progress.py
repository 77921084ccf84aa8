"""A line that says how far a long step is, how fast it goes and when it ends."""

import sys
from typing import Any

from tqdm import tqdm


def bar(total: int | None, what: str, unit: str = " videos", initial: int = 0) -> Any:
    """A tqdm bar on stderr with rate and time left; where stderr is no terminal, a line every 10 s."""
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=unit,
        unit_scale=unit in (" videos", " segments", "B"),
        file=sys.stderr,
        dynamic_ncols=terminal,
        ncols=None if terminal else 100,
        mininterval=0.2 if terminal else 10.0,
        miniters=1,
    )


def say(line: str) -> None:
    """A remark on stderr that does not break a bar."""
    tqdm.write(line, file=sys.stderr)


def amount(size: float) -> str:
    """Bytes in words, as the bar gives them: 5.49GB."""
    return f"{tqdm.format_sizeof(size)}B"


def duration(seconds: float) -> str:
    """Seconds in words, as the bar gives them: 02:07."""
    return str(tqdm.format_interval(seconds))


def plural(count: int, noun: str) -> str:
    """So many of them: 1 shard, 2 shards."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
