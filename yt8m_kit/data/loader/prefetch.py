"""Items of an iterator, made ahead by a thread."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

from yt8m_kit.errors import UsageError

T = TypeVar("T")


def prefetch(iterator: Iterator[T], depth: int) -> Generator[T]:
    """The same items, up to `depth` of them made ahead by a thread of its own.

    What the iterator raises is raised here, after the items before it. The thread ends with this generator.
    An iterator that uses memory again must leave an item alone while `depth` further ones are made:
    batches(reuse=depth) if the item is done with when the next is asked for, more if it is not.
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
