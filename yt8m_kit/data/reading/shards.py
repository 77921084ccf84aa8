"""Open shards, and the memory that one record is read into."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np

from yt8m_kit.data.format.tfrecord import FOOTER, RecordError, masked_crc
from yt8m_kit.errors import DataError

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
    """Open shards. Raises DataError if one cannot be opened."""

    def __init__(self, paths: Sequence[Path]):
        self.paths = paths
        self.files: list[int] = []
        try:
            self.files.extend(_open(path) for path in paths)
        except BaseException:
            self.close()
            raise

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


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _is_cached(file: int, offset: int) -> bool:
    """Whether a byte of a file is in the page cache; this check is cheaper than a read-ahead request."""
    try:
        return _NO_WAIT > 0 and os.preadv(file, [bytearray(1)], offset, _NO_WAIT) > 0
    except OSError:  # it is not cached, or the file system cannot tell
        return False
