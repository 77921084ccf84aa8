"""Ctrl-C while modules are imported: the process ends at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 130  # 128 + SIGINT, as a shell has it


@contextmanager
def ending_the_process() -> Iterator[None]:
    """Let Ctrl-C end the process with one line and exit code 130.

    KeyboardInterrupt would be lost in a library that imports optional modules, or come out as another error.
    Only for code that has nothing to undo. Does nothing outside the main thread, or if Ctrl-C is ignored.
    """
    if threading.current_thread() is not threading.main_thread() or _is_ignored():
        yield
        return
    stderr = os.dup(2)  # which may be redirected meanwhile

    def end(_number: int, _frame: FrameType | None) -> None:
        os.write(stderr, b"\nyt8m: interrupted; the same command resumes.\n")
        os._exit(CODE)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(stderr)


def _is_ignored() -> bool:
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN
