"""Prefetch the items of an iterator in a background thread."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

from yt8m_kit.errors import UsageError

T = TypeVar("T")


def prefetch(iterator: Iterator[T], depth: int) -> Generator[T]:
    """Yield the same items, up to `depth` of them computed ahead in a background thread.

    An exception of the iterator is raised here, after the items before it. The thread ends with this
    generator. An iterator that reuses memory must not overwrite an item while `depth` further ones are
    computed: read_batches(reuse=depth) if an item is no longer used when the next one is requested, more
    otherwise. Raises UsageError for a depth below 1.
    """
    if depth < 1:
        raise UsageError(f"depth must be at least 1; got {depth}.")
    return _prefetched(iterator, depth)


def _prefetched(iterator: Iterator[T], depth: int) -> Generator[T]:
    free = threading.Semaphore(depth)
    ready: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()
    stopped = threading.Event()

    def run() -> None:
        try:
            while free.acquire() and not stopped.is_set():
                ready.put((next(iterator),))
        except StopIteration:
            ready.put(None)
        except BaseException as error:  # handed to the consumer, whatever it is
            ready.put(error)
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    thread = threading.Thread(target=run, name="prefetch", daemon=True)
    thread.start()
    try:
        while item := ready.get():
            if isinstance(item, BaseException):
                raise item
            free.release()
            yield item[0]
    finally:
        stopped.set()
        free.release()
        thread.join()
