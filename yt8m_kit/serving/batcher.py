"""Requests that arrive together run together: one thread, one run of the graph at a time."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from yt8m_kit.serving.limits import Limits
from yt8m_kit.serving.messages.refusal import RefusalError
from yt8m_kit.serving.messages.request import Arrays, Request
from yt8m_kit.serving.metrics import Metrics

Run = Callable[[str, Arrays], Arrays]  # from a signature and its inputs to its outputs


class Work(NamedTuple):
    """A request, and where its outputs go."""

    request: Request
    future: Future[Arrays]


class Batcher:
    """A queue of requests, and the batches that are run of it.

    A run waits, at most for Limits.wait, for requests that are being read, and for as many as were in the
    queue when the last run began: clients that have just got their answers ask again. A request that comes
    alone does not wait.
    """

    def __init__(self, limits: Limits, metrics: Metrics):
        self._limits, self._metrics = limits, metrics
        self._changed = threading.Condition()
        self._places: set[object] = set()  # of requests that are not answered
        self._arriving: set[object] = set()  # of those that are still being read
        self._waiting: deque[Work] = deque()
        self._crowd = 1  # requests that were in the queue when the last run began
        self.is_over = False  # nothing more is queued

    @property
    def queued(self) -> int:
        """Requests that are being read, wait or run."""
        return len(self._places)

    @contextmanager
    def place(self) -> Iterator[Callable[[Request], Future[Arrays]]]:
        """Take a place for a request that is still to be read; yield the function that queues it.

        Raises RefusalError (503) if there is none left.
        """
        mine = object()
        with self._changed:
            if len(self._places) >= self._limits.queue:
                raise RefusalError(503, f"{self._limits.queue} requests are in the queue; ask again later.")
            self._places.add(mine)
            self._arriving.add(mine)
        try:
            yield partial(self._queue, mine)
        finally:
            with self._changed:
                self._places.remove(mine)
                self._arriving.discard(mine)
                self._changed.notify()

    def _queue(self, place: object, request: Request) -> Future[Arrays]:
        work = Work(request, Future())
        with self._changed:
            self._arriving.remove(place)
            self._waiting.append(work)
            self._changed.notify()
        return work.future

    def work(self, run: Run) -> None:
        """Run batches until `close`, and what waits by then."""
        while batch := self._next():
            self._crowd = len(self._places)
            if running := [work for work in batch if work.future.set_running_or_notify_cancel()]:
                self._run(run, running)

    def close(self) -> None:
        """End `work` once nothing waits any more."""
        with self._changed:
            self.is_over = True
            self._changed.notify()

    def _next(self) -> list[Work]:
        """Wait for requests of one signature and take them; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.is_over)
            if self._waiting:
                self._changed.wait_for(self._is_enough, self._limits.wait)
            return self._take()

    def _is_enough(self) -> bool:
        is_crowd = len(self._waiting) >= self._crowd and not self._arriving
        videos = sum(work.request.videos for work in self._waiting)
        return is_crowd or self.is_over or videos >= self._limits.batch

    def _take(self) -> list[Work]:
        """Take the first request, and those of its signature that fit; the others keep their order."""
        taken: list[Work] = []
        left: deque[Work] = deque()
        room = self._limits.batch
        for work in self._waiting:
            is_alike = not taken or work.request.signature == taken[0].request.signature
            if is_alike and work.request.videos <= room:
                taken.append(work)
                room -= work.request.videos
            else:
                left.append(work)
        self._waiting = left
        return taken

    def _run(self, run: Run, batch: Sequence[Work]) -> None:
        """Run a batch; where the graph refuses it, each request alone: the others are not to blame."""
        try:
            outputs = run(batch[0].request.signature, _joined(batch))
            self._metrics.ran(sum(work.request.videos for work in batch))
            _divide(outputs, batch)
        except RefusalError as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for work in batch:
                self._run(run, [work])
        except Exception as error:
            for work in batch:
                work.future.set_exception(error)


def _joined(batch: Sequence[Work]) -> Arrays:
    names = batch[0].request.inputs
    return {name: np.concatenate([work.request.inputs[name] for work in batch]) for name in names}


def _divide(outputs: Arrays, batch: Sequence[Work]) -> None:
    start = 0
    for work in batch:
        rows = slice(start, start := start + work.request.videos)
        work.future.set_result({key: array[rows] for key, array in outputs.items()})
