"""A group of open shards and the index of their records."""

# N records of a group

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from yt8m_kit.data.format.examples import Video, parse
from yt8m_kit.data.format.tfrecord import FRAMING, Index, RecordError, scan_headers
from yt8m_kit.data.reading.shards import RecordBuffer, RecordLocation, Shards, T, open_shards
from yt8m_kit.dataset import Dataset
from yt8m_kit.stores.path import DataPath

SCANS = 8  # shards whose headers are scanned concurrently, so that their seeks overlap


class ShardGroup(Shards):
    """Open shards and the index of all their records, N in the order of the paths.

    locations: of the N records. faults: framing errors of the shards; the records that these hide are not in
    the index. files: descriptors of the shards, if they are open already. limit: records of each shard in the
    index, None for all. cancelled: ends copies from an object store. Raises as open_shards.
    """

    def __init__(
        self,
        paths: Sequence[DataPath],
        files: Sequence[int] | None = None,
        *,
        limit: int | None = None,
        cancelled: threading.Event | None = None,
    ):
        super().__init__(paths, open_shards(paths, cancelled) if files is None else files)
        try:
            with ThreadPoolExecutor(SCANS) as pool:
                indices = list(pool.map(scan_headers, paths, self.files, itertools.repeat(limit)))
        except BaseException:
            self.close()
            raise
        _estimate_hidden(indices)
        self.faults = [index.fault for index in indices if index.fault]
        self.locations = [
            RecordLocation(shard, number, offset, length)
            for shard, index in enumerate(indices)
            for number, (offset, length) in enumerate(zip(index.offsets.tolist(), index.lengths.tolist()))
        ]

    def __len__(self) -> int:
        return len(self.locations)

    def advise(self, records: Sequence[int]) -> None:
        """Ask the OS to read ahead those of the records that are not in the page cache."""
        if hasattr(os, "posix_fadvise"):  # not on macOS
            for record in records:
                self.advise_at(self.locations[record])

    def load(self, record: int, dataset: Dataset, buffer: RecordBuffer, check_crc: bool) -> Video:
        """Read and parse a record; the video is valid until the buffer is used again.

        Raises RecordError for a bad record and DataError if the shard can no longer be read.
        """
        return self.read(record, lambda payload: parse(payload, dataset), buffer, check_crc)

    def read(
        self, record: int, decode: Callable[[np.ndarray], T], buffer: RecordBuffer, check_crc: bool
    ) -> T:
        """Read a record and return decode(payload).

        decode: takes uint8 (bytes,), valid until the buffer is used again; may raise DataError.
        Raises RecordError for a bad record, DataErrors of `decode` included, and DataError if the shard can
        no longer be read.
        """
        return self.read_at(self.locations[record], decode, buffer, check_crc)

    def fault(self, record: int, reason: str) -> RecordError:
        """An error that names the shard and number of a record."""
        location = self.locations[record]
        return RecordError(self.paths[location.shard], location.number, reason)


def _estimate_hidden(indices: Sequence[Index]) -> None:
    """Set the records that framing errors hide: as many as records of mean length fit into their bytes."""
    lengths = np.concatenate([index.lengths for index in indices])
    for index in indices:
        if index.fault and len(lengths):
            index.fault.hidden = max(round(index.hidden / (lengths.mean() + FRAMING)) - 1, 0)
