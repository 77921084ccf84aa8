"""Stages in a process of their own, which is replaced when it holds much memory."""

import contextlib
import gc
import io
import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from yt8m_kit import backend
from yt8m_kit.errors import KitError
from yt8m_kit.machine.memory import resident

LIMIT = 2 * 10**9  # bytes that a process may hold before the next stage

Stage = Callable[[], object]


class StageProcess:
    """Runs stages one after the other in a child process.

    TensorFlow keeps memory of trained models, 3 GB of a large one: beyond LIMIT a new process takes over.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def run(self, stage: Stage) -> None:
        """Run a stage, silently; raises what it raises, and KitError if the process was killed."""
        if self._pool is None:
            spawned = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, spawned, initializer=_start)
        try:
            held = self._pool.submit(_run, stage).result()
        except BrokenProcessPool:
            raise KitError("the process was killed, probably because the memory is full.") from None
        if held > LIMIT:
            self.close()

    def close(self) -> None:
        """End the process."""
        if self._pool:
            self._pool.shutdown()
        self._pool = None


def _start() -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        backend.start("tensorflow")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of functions traced anew


def _run(stage: Stage) -> int:
    """Run a stage; return the bytes that the process holds after it."""
    import keras

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            stage()
    finally:
        keras.backend.clear_session()
        gc.collect()
    return resident()
