"""Attempts at a command line, each in a process of its own that was forked with TensorFlow imported.

TensorFlow takes longer to import than a small stage takes to run. It is imported once and started in none but
the forked processes, as its threads would not survive a fork.
"""

import gc
import importlib
import io
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

RECIPES = Path(__file__).parent / "recipes"
KILLED = -signal.SIGKILL
MODULES = (
    *("training.train", "training.average", "evaluation.evaluate", "evaluation.local_board"),
    *("ensembling.ensemble", "quantization.quantize", "export.export", "inference.predict"),
    *("inference.distill", "segments.predict", "data.convert", "data.synthesize"),
)
# Called in the process before the command line; what it returns is called after it, for a number to report.
Before = Callable[[], Callable[[], int]]


class Outcome(NamedTuple):
    """Exit code, negative for a signal; stderr; wall time; what `before` reports, None if killed."""

    code: int
    stderr: str
    seconds: float
    figure: int | None


def prepare() -> None:
    """Import what the stages import, as `yt8m_kit.backend` does; positions are saved after every batch."""
    os.environ |= {"YT8M_RECIPES": str(RECIPES), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    sys.modules["jax"] = None  # type: ignore[assignment]
    for module in MODULES:
        importlib.import_module(f"yt8m_kit.{module}")
    del sys.modules["jax"]
    sys.modules["yt8m_kit.inference.shard_rows"].SAVE_BATCHES = 1  # type: ignore[attr-defined]


def _nothing() -> Callable[[], int]:
    return lambda: 0


def attempt(words: list[str], before: Before = _nothing, kill_after: float | None = None) -> Outcome:
    """Run a command line in a forked process; kill_after: seconds until it gets SIGKILL."""
    began = time.perf_counter()
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as stderr, open(reading, "rb") as report:
        process = os.fork()
        if not process:
            _child(words, before, stderr.fileno(), writing)
        os.close(writing)
        code = _wait(process, None if kill_after is None else began + kill_after)
        seconds = time.perf_counter() - began
        stderr.seek(0)
        figure = report.read()
        return Outcome(code, stderr.read().decode(), seconds, int(figure) if figure else None)


def _wait(process: int, deadline: float | None) -> int:
    while deadline is not None and time.perf_counter() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    if deadline is not None:
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _child(words: list[str], before: Before, stderr: int, report: int) -> None:
    """Run the command line and end the process, whatever happens."""
    code = 70
    try:
        os.dup2(stderr, 2)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", write_through=True)
        sys.stdout = io.StringIO()
        from yt8m_kit.cli.main import main

        after = before()
        code = main(words)
        gc.collect()  # so that complaints of destructors are heard
        os.write(report, str(after()).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
