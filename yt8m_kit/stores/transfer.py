"""Copy an object piece by piece into an open file; after a lost connection the piece is requested again."""

import hashlib
import os
import threading
from collections.abc import Callable

from yt8m_kit.stores import request
from yt8m_kit.stores.filesystem import describe, perform
from yt8m_kit.stores.listing import entry_of
from yt8m_kit.stores.path import StorePath
from yt8m_kit.stores.request import StoreError, TruncatedError

PIECE = 8 << 20  # bytes of a request
_COPIES = 3  # of an object whose copies are not intact
Check = Callable[[int], bool]  # whether the contents of an open file are intact


def copy(
    source: StorePath, file: int, check: Check, cancelled: threading.Event | None = None, start: int = 0
) -> None:
    """Copy an object into an open file, of which the first `start` bytes are there already.

    Size and version of the object must be the listed ones at the end. A copy that is not intact is made
    again. Where no MD5 is known, two equal copies are accepted: the object itself is damaged. Raises
    StoreError, CancelledError, OSError.
    """
    contents: list[str] = []
    while len(contents) < _COPIES:
        _fetch(source, file, cancelled, 0 if contents else start)
        _compare(source)
        if is_intact(source, file, check):
            return
        contents.append(_digest(file, "sha256"))
        if not source.known().md5 and contents[-1:] == contents[-2:-1]:
            return
    if len({*contents}) > 1:
        raise StoreError(f"{source}: its copies differ; the connection or the store damages them")
    raise StoreError(f"{source}: its MD5 is not the one {source.known().origin}")


def is_intact(source: StorePath, file: int, check: Check) -> bool:
    """Whether a copy has the size of its object, and its MD5 or, in a bucket, passes `check`."""
    entry = source.known()
    if os.fstat(file).st_size != entry.size:
        return False
    return (source.is_writable and check(file)) or (bool(entry.md5) and _digest(file, "md5") == entry.md5)


def is_still_intact(source: StorePath, file: int, check: Check) -> bool:
    """Whether a copy that was intact once has not changed: its records pass `check`, or its MD5 is right."""
    is_whole = os.fstat(file).st_size == source.known().size
    return is_whole and (check(file) or is_intact(source, file, check))


def copy_head(source: StorePath, file: int, length: int) -> None:
    """Copy the first `length` bytes of an object, unchecked, into a file that gets the object's length."""
    _fetch(source, file, None, 0, length)
    os.ftruncate(file, source.known().size)


def _fetch(
    source: StorePath, file: int, cancelled: threading.Event | None, at: int, end: int | None = None
) -> None:
    """Write the object's bytes from `at` to `end`, by default to its end."""
    size = source.known().size
    end = size if end is None else end
    os.ftruncate(file, at)
    while at < end:
        piece = _piece(source, at, min(at + PIECE, end), size, cancelled)
        if len(piece) == size:
            at = 0  # the server ignores ranges and sends everything
        _write(file, piece, at)
        at += len(piece)


def _piece(source: StorePath, start: int, end: int, size: int, cancelled: threading.Event | None) -> bytes:
    """Bytes start to end of an object, or all of them where the server ignores ranges."""
    url = str(source)

    async def read(store: object) -> bytes:
        piece: bytes = await store._cat_file(url, start=start, end=end)  # type: ignore[attr-defined]
        if len(piece) not in (end - start, size):
            raise TruncatedError(f"{len(piece):,} of {end - start:,} bytes at {start:,} of {size:,}")
        return piece

    try:
        found: bytes = perform(url, read, request.COPY, cancelled)
        return found
    except FileNotFoundError:
        raise StoreError(f"{source}: not found (404), although it was listed") from None


def _write(file: int, piece: bytes, at: int) -> None:
    left = memoryview(piece)
    while left:
        written = os.pwrite(file, left, at)
        left, at = left[written:], at + written


def _compare(source: StorePath) -> None:
    """Raise StoreError where an object of a bucket is no longer the one that was listed."""
    if not source.is_writable:
        return
    url, entry = str(source), source.known()
    try:
        about = perform(url, lambda store: describe(store, url), request.COPY)
    except FileNotFoundError:
        raise StoreError(f"{source}: it was removed while it was read") from None
    now = entry_of(about)
    if (now.size, now.version) != (entry.size, entry.version):
        raise StoreError(f"{source}: it was replaced while it was read; run the command again")


def _digest(file: int, algorithm: str) -> str:
    digest, at = hashlib.new(algorithm, usedforsecurity=False), 0
    while block := os.pread(file, PIECE, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()
