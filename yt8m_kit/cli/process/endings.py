"""How a command line ends where it does not succeed: one line, and an exit code."""

import os
import sys
from collections.abc import Sequence

from yt8m_kit.cli.process.fault_log import masked, write_fault_log
from yt8m_kit.cli.process.streams import discard_output, reader_has_left
from yt8m_kit.errors import KitError
from yt8m_kit.machine.interrupts import CODE
from yt8m_kit.machine.signals import TerminatedError

FAULT = "a fault of the kit"
CLOSED_PIPE = 141  # 128 + SIGPIPE, as a shell has it
LONGEST = 300  # characters of an unexpected error's message
OUT_OF_MEMORY = "out of memory. Take a smaller batch_size, or a larger accumulate, and close other programs."


def end(error: Exception | KeyboardInterrupt | TerminatedError, words: Sequence[str]) -> int:
    """Print one line on why a command failed, and return its exit code.

    An unexpected error is a fault of the kit: its traceback goes to a log file, which the line names.
    """
    if isinstance(error, BrokenPipeError) and reader_has_left():
        discard_output()
        return CLOSED_PIPE
    code, said = _explained(error, words)
    print(f"yt8m: {said}", file=sys.stderr)
    discard_output()
    return code


def _explained(
    error: Exception | KeyboardInterrupt | TerminatedError, words: Sequence[str]
) -> tuple[int, str]:
    if isinstance(error, KitError):
        return error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        return CODE, "interrupted; the same command resumes."
    if isinstance(error, TerminatedError):
        return error.exit_code, f"stopped by {error}; the same command resumes."
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return 1, OUT_OF_MEMORY
    if isinstance(error, OSError):
        return 1, f"{error.filename or 'system'}: {error.strerror or error}."
    return 1, _fault(error, words)


def _fault(error: Exception, words: Sequence[str]) -> str:
    said = masked(" ".join(f"{type(error).__name__}: {error}".split()), os.environ)[:LONGEST].rstrip(": .")
    try:
        log = write_fault_log(error, words)
    except OSError as full:
        return f"{FAULT}: {said}. Please report it. (No log file: {full.strerror}.)"
    return f"{FAULT}: {said}. Please report it with {log}."
