"""Open objects of a store as local files: whole copies in memory, or in the cache folder."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from yt8m_kit.errors import KitError
from yt8m_kit.stores import cache, transfer
from yt8m_kit.stores.memory_file import memory_file
from yt8m_kit.stores.path import StorePath
from yt8m_kit.stores.transfer import Check

STREAMS = 8  # objects copied at a time


def open_copies(
    sources: Sequence[StorePath], check: Check, cancelled: threading.Event | None = None
) -> list[int]:
    """Descriptors of local copies, in order; the caller closes them.

    check: whether the contents of an open file are intact, see transfer.copy. Copies are in memory, or with
    YT8M_CACHE in files that stay. Raises StoreError, KitError for the cache, CancelledError; then nothing is
    left open.
    """
    stop = cancelled or threading.Event()
    if not os.environ.get("YT8M_CACHE"):
        _check_memory(sources)
    with ThreadPoolExecutor(STREAMS, "copy") as pool:
        opened = [pool.submit(open_copy, source, check, stop) for source in sources]
        try:
            return [each.result() for each in opened]
        except BaseException:
            stop.set()
            _close(opened)
            raise


def _close(opened: Sequence["Future[int]"]) -> None:
    for each in opened:
        if not each.cancel():
            with suppress(Exception):
                os.close(each.result())


def open_copy(source: StorePath, check: Check, cancelled: threading.Event | None = None) -> int:
    """The descriptor of a local copy, see open_copies."""
    kept = cache.from_environment()
    if kept is None:
        return _in_memory(source, check, cancelled)
    return kept.get(
        source,
        lambda file, start: transfer.copy(source, file, check, cancelled, start),
        lambda file: transfer.is_still_intact(source, file, check),
        cancelled,
    )


def open_head(source: StorePath, size: int, check: Check) -> int:
    """The descriptor of a file in memory as long as the object, with its first `size` bytes, then zeros.

    A copy that does not pass `check` is made once more. Raises StoreError.
    """
    file = memory_file(0)
    try:
        transfer.copy_head(source, file, size)
        if not check(file):
            transfer.copy_head(source, file, size)
    except BaseException:
        os.close(file)
        raise
    return file


def _in_memory(source: StorePath, check: Check, cancelled: threading.Event | None) -> int:
    file = memory_file(0)
    try:
        transfer.copy(source, file, check, cancelled)
    except BaseException:
        os.close(file)
        raise
    return file


def _check_memory(sources: Sequence[StorePath]) -> None:
    size, free = sum(source.known().size for source in sources), _free_memory()
    if size > free:
        raise KitError(
            f"{len(sources)} shards of {sources[0].parent} have {size / 1e9:.2f} GB, {free / 1e9:.2f} GB of "
            "memory are free: name a folder for copies in YT8M_CACHE."
        )


def _free_memory() -> int:
    """Bytes of memory that can be taken without swapping."""
    with suppress(OSError), open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
