"""A spinner with words on a terminal, a plain line in a log, while something without a bar takes seconds."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import TextIO

INTERVAL = 0.1  # seconds between frames
FRAMES = "|/-\\"


@contextmanager
def spinning(words: str) -> Iterator[None]:
    """Show what is going on and for how long; the line is removed at the end.

    stderr may be redirected meanwhile. The cursor stays visible, as Ctrl-C may end the process at once.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        print(words, file=sys.stderr, flush=True)
        yield
        return
    over = threading.Event()
    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8") as terminal:
        spinner = threading.Thread(target=_spin, args=(terminal, words, over), daemon=True)
        spinner.start()
        try:
            yield
        finally:
            over.set()
            spinner.join()


def _spin(terminal: TextIO, words: str, over: threading.Event) -> None:
    began = time.monotonic()
    for frame in cycle(FRAMES):
        terminal.write(f"\r{frame} {words}, {time.monotonic() - began:.0f} s")
        terminal.flush()
        if over.wait(INTERVAL):
            break
    terminal.write("\r\x1b[K")
    terminal.flush()
