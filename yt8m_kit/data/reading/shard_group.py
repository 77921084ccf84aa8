"""Records of a few open shards, each read by one call into memory that is used again."""

# N records of a group, C classes

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from yt8m_kit.data.format.examples import Video, parse
from yt8m_kit.data.format.tfrecord import FOOTER, RecordError, walk
from yt8m_kit.data.reading.shards import Buffer, Place, Shards, T
from yt8m_kit.data.reading.soft_labels import SoftLabels
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError

SEEKS = 8  # shards whose headers are walked at a time: waiting for several is as long as for one
_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)  # Linux


class Group(Shards):
    """Some shards, open, and an index of the records in all of them, N in the order of the paths.

    places: of the records. faults: what is wrong with the framing of these shards; the records that it hides
    are not in the index. Raises DataError if a shard cannot be opened.
    """

    def __init__(self, paths: Sequence[Path], soft_labels: SoftLabels | None = None):
        self._soft_labels = soft_labels
        self._teacher = [soft_labels.of(path) for path in paths] if soft_labels else []
        super().__init__(paths)
        try:
            with ThreadPoolExecutor(SEEKS) as pool:
                indices = list(pool.map(walk, paths, self.files))
        except BaseException:
            self.close()
            raise
        self.faults = [index.fault for index in indices if index.fault]
        self.places = [
            Place(shard, number, offset, length)
            for shard, index in enumerate(indices)
            for number, (offset, length) in enumerate(zip(index.offsets.tolist(), index.lengths.tolist()))
        ]

    def __len__(self) -> int:
        return len(self.places)

    def expect(self, records: Sequence[int]) -> None:
        """Has the system fetch what will be read soon, all at once, where it does not lie in memory yet."""
        for record in records if hasattr(os, "posix_fadvise") else ():  # not on macOS
            shard, _, start, length = self.places[record]
            size = length + FOOTER
            if not _in_memory(self.files[shard], start + size // 2):
                os.posix_fadvise(self.files[shard], start, size, os.POSIX_FADV_WILLNEED)

    def load(self, record: int, dataset: Dataset, buffer: Buffer, check_crc: bool) -> Video:
        """Reads and parses a record; the answer is valid until the buffer is used again.

        Raises RecordError for a bad record and DataError if the shard can no longer be read.
        """
        return self.read(record, lambda payload: parse(payload, dataset), buffer, check_crc)

    def read(self, record: int, meaning: Callable[[np.ndarray], T], buffer: Buffer, check_crc: bool) -> T:
        """What `meaning` makes of a record's payload, uint8 (bytes,), valid until the buffer is used again.

        Raises RecordError for a bad record, also where `meaning` raises DataError, and DataError if the shard
        can no longer be read.
        """
        return self.read_at(self.places[record], meaning, buffer, check_crc)

    def soften(self, record: int, video: str, labels_C: np.ndarray) -> None:
        """Mixes the teacher's labels of a record into its row; RecordError where the teacher lacks it."""
        if self._soft_labels:
            place = self.places[record]
            try:
                self._teacher[place.shard].mix(labels_C, video, self._soft_labels.weight)
            except DataError as error:
                raise RecordError(self.paths[place.shard], place.number, str(error)) from None


def _in_memory(file: int, offset: int) -> bool:
    """Whether a byte of a file can be had without waiting; to look is cheaper than to have it fetched."""
    try:
        return _NO_WAIT > 0 and os.preadv(file, [bytearray(1)], offset, _NO_WAIT) > 0
    except OSError:  # it cannot, or the file system cannot tell
        return False
