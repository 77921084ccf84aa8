"""Features of videos, in their order, by this process or by several others."""

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import NamedTuple

import numpy as np

from yt8m_kit import backend
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.extraction.networks.choice import Choice, Extractor
from yt8m_kit.extraction.sources import Source

_AHEAD = 2  # videos that wait for each process
_LOADED: list[Extractor] = []  # of a process, once it has had a video


class Found(NamedTuple):
    """A video with its features by name, float32 (T, D), or why it has none."""

    source: Source
    features: dict[str, np.ndarray]
    fault: str = ""
    is_silent: bool = False


class Workers:
    """So many processes with networks of their own; one: this process itself. A context manager."""

    def __init__(self, choice: Choice, dataset: Dataset, jobs: int):
        self._job, self._jobs = (choice, dataset), jobs
        self._pool = ProcessPoolExecutor(jobs, get_context("spawn"), _prepare, (jobs,)) if jobs > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        _LOADED.clear()

    def features(self, sources: Sequence[Source]) -> Iterator[Found]:
        """Yield each video's features; a fault where the file cannot be used.

        Raises UsageError where the networks cannot be loaded, KitError if a process ends, with the videos
        that it may have been at.
        """
        if self._pool is None:
            yield from (_found(source, *self._job) for source in sources)
            return
        waiting: deque[Future[Found]] = deque()
        left = iter(sources)
        names: deque[str] = deque()
        try:
            while True:
                while len(waiting) < _AHEAD * self._jobs and (source := next(left, None)):
                    waiting.append(self._pool.submit(_found, source, *self._job))
                    names.append(source.name)
                if not waiting:
                    return
                yield waiting.popleft().result()
                names.popleft()
        except BrokenProcessPool:
            raise KitError(
                f"a process ended while it read one of {', '.join(names)}: move away the one that ends it, "
                "or take fewer --jobs if memory is short."
            ) from None


def _prepare(jobs: int) -> None:
    """Prepare a process: it leaves Ctrl-C to its parent, ends with it, and takes its share of the cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    for variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, threads)


def _end_with_parent() -> None:
    if parent := parent_process():
        connection.wait([parent.sentinel])
        os._exit(1)


def _found(source: Source, choice: Choice, dataset: Dataset) -> Found:
    if not _LOADED:
        backend.start()
        _LOADED.append(Extractor(choice, dataset))
    try:
        features, is_silent = _LOADED[0].extract(source.path)
        return Found(source, features, is_silent=is_silent)
    except DataError as error:
        return Found(source, {}, str(error))
