"""Open shards and the memory that a record is read into."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np

from yt8m_kit.data.format.tfrecord import FOOTER, RecordError, masked_crc
from yt8m_kit.errors import DataError

T = TypeVar("T")


class Place(NamedTuple):
    """Where a record is: in which shard, its number there, where its payload begins and how long that is."""

    shard: int
    number: int
    offset: int
    length: int


class Buffer:
    """Memory for one record, as large as the largest so far."""

    def __init__(self) -> None:
        self._memory = np.empty(1 << 19, np.uint8)  # a record of 300 frames is 351 kB

    def of(self, size: int) -> np.ndarray:
        """uint8 (size,), its contents undefined."""
        if size > len(self._memory):
            self._memory = np.empty(size * 5 // 4, np.uint8)
        return self._memory[:size]


class Shards:
    """Some shards, open. Raises DataError if one cannot be opened."""

    def __init__(self, paths: Sequence[Path]):
        self.paths = paths
        self.files: list[int] = []
        try:
            self.files.extend(_open(path) for path in paths)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the shards."""
        while self.files:
            os.close(self.files.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read_at(self, place: Place, meaning: Callable[[np.ndarray], T], buffer: Buffer, check_crc: bool) -> T:
        """What `meaning` makes of the payload that lies there, see Group.read."""
        shard, number, offset, length = place
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
            return meaning(payload[:length])
        except DataError as error:
            raise RecordError(self.paths[shard], number, str(error)) from None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
