"""Open shards, and the memory that one record is read into."""

import itertools
import mmap
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np

from yt8m_kit.data.format.tfrecord import FOOTER, HEADER, RecordError, masked_crc, scan_headers
from yt8m_kit.errors import DataError
from yt8m_kit.stores import copies
from yt8m_kit.stores.path import DataPath, StorePath

T = TypeVar("T")
_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)  # Linux


class RecordLocation(NamedTuple):
    """Index of the shard, record number within it, offset and length of the payload in bytes."""

    shard: int
    number: int
    offset: int
    length: int


class RecordBuffer:
    """Memory for one record, grown to the largest one read so far."""

    def __init__(self) -> None:
        self._memory = np.empty(1 << 19, np.uint8)  # a record of 300 frames is 351 kB

    def of(self, size: int) -> np.ndarray:
        """uint8 (size,), contents undefined."""
        if size > len(self._memory):
            self._memory = np.empty(size * 5 // 4, np.uint8)
        return self._memory[:size]


class Shards:
    """Open shards, each by its descriptor in `files`."""

    def __init__(self, paths: Sequence[DataPath], files: Sequence[int]):
        self.paths, self.files = paths, [*files]

    def close(self) -> None:
        """Close the shards."""
        while self.files:
            os.close(self.files.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def advise_at(self, location: RecordLocation) -> None:
        """Ask the OS to read ahead a record that is not in the page cache (posix_fadvise)."""
        size = location.length + FOOTER
        file = self.files[location.shard]
        if not _is_cached(file, location.offset + size // 2):
            os.posix_fadvise(file, location.offset, size, os.POSIX_FADV_WILLNEED)

    def read_at(
        self,
        location: RecordLocation,
        decode: Callable[[np.ndarray], T],
        buffer: RecordBuffer,
        check_crc: bool,
    ) -> T:
        """Read and decode the record at a location, see ShardGroup.read."""
        shard, number, offset, length = location
        payload = buffer.of(length + FOOTER)
        try:
            size = os.preadv(self.files[shard], [payload.data], offset)
        except OSError as error:
            raise DataError(f"{self.paths[shard]}: cannot be read: {error.strerror}") from error
        try:
            if size != length + FOOTER:
                raise DataError("truncated since it was opened")
            if check_crc and masked_crc(payload[:length]) != int.from_bytes(
                payload[length:].tobytes(), "little"
            ):
                raise DataError("data CRC mismatch")
            return decode(payload[:length])
        except DataError as error:
            raise RecordError(self.paths[shard], number, str(error)) from None


def open_shards(paths: Sequence[DataPath], cancelled: threading.Event | None = None) -> list[int]:
    """Descriptors of shards, in order; those of an object store are copied first, see stores.copies.

    Raises DataError if one cannot be opened, and what open_copies raises; then none is left open.
    """
    stored = [path for path in paths if isinstance(path, StorePath)]
    copied = iter(copies.open_copies(stored, has_intact_records, cancelled)) if stored else iter(())
    files: list[int] = []
    try:
        for path in paths:
            files.append(next(copied) if isinstance(path, StorePath) else _open(path))
    except BaseException:
        for file in (*files, *copied):
            os.close(file)
        raise
    return files


def open_head(path: DataPath, size: int) -> int:
    """The descriptor of a shard that is read up to about `size` bytes, see open_shards.

    Of a larger shard in an object store only these bytes are copied; zeros follow, up to its length.
    """
    if not isinstance(path, StorePath) or path.known().size <= size:
        return open_shards([path])[0]
    return copies.open_head(path, size, lambda file: has_intact_records(file, size))


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def has_intact_records(file: int, size: int | None = None) -> bool:
    """Whether an open shard has the right framing and CRCs, up to the records that end by `size`."""
    index = scan_headers(Path(), file)
    ends = index.offsets + index.lengths + FOOTER
    if index.fault and (size is None or ends[-1:].sum() + HEADER <= size):
        return False
    count = len(ends) if size is None else int((ends <= size).sum())
    with mmap.mmap(file, 0, prot=mmap.PROT_READ) as memory:
        contents = np.frombuffer(memory, np.uint8)
        intact = all(map(_is_intact, itertools.repeat(contents, count), index.offsets, index.lengths))
        del contents  # a view keeps the mapping from being closed
    return intact


def _is_intact(contents: np.ndarray, offset: int, length: int) -> bool:
    end = offset + length
    return masked_crc(contents[offset:end]) == int.from_bytes(
        contents[end : end + FOOTER].tobytes(), "little"
    )


def _is_cached(file: int, offset: int) -> bool:
    """Whether a byte of a file is in the page cache; this check is cheaper than a read-ahead request."""
    try:
        return _NO_WAIT > 0 and os.preadv(file, [bytearray(1)], offset, _NO_WAIT) > 0
    except OSError:  # it is not cached, or the file system cannot tell
        return False
