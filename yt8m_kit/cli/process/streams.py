"""Standard output and error: any text can be written, a reader that leaves is no error."""

import io
import os
import select
import sys


def accept_any_text() -> None:
    """Write characters that the locale's encoding lacks as escapes, by their number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def reader_has_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more, as in `yt8m recipes | head -1`."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return False


def discard_output() -> None:
    """Discard what standard output holds if it cannot be written: Python's exit would report it again."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
