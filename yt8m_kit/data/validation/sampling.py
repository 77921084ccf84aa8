"""A bounded sample of a split: the first videos of shards spread over it."""

from collections.abc import Sequence

import numpy as np

from yt8m_kit.data.format.examples import other_integer_keys
from yt8m_kit.data.format.tfrecord import FOOTER, RecordError
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer, RecordLocation, open_head
from yt8m_kit.data.validation.statistics import SplitStatistics
from yt8m_kit.dataset import Dataset
from yt8m_kit.stores.path import DataPath, StorePath

_SHARDS = 16  # of which videos are read
_BYTES = 100_000_000  # read at most, about a second from a hard disk
_LARGEST = 8 << 20  # bytes of a record in an object store, for the sample


def sample(paths: Sequence[DataPath], dataset: Dataset, videos: int) -> SplitStatistics:
    """Statistics of about `videos` videos, fewer where these are large. Raises DataError as ShardGroup."""
    statistics = SplitStatistics(dataset)
    chosen = np.unique(np.linspace(0, len(paths) - 1, _SHARDS).round().astype(int)).tolist()
    statistics.is_complete = len(chosen) == len(paths)
    most = -(-videos // len(chosen))
    for shard in chosen:
        _read_first(paths[shard], dataset, most, _BYTES // len(chosen), statistics)
    return statistics


def _read_first(path: DataPath, dataset: Dataset, most: int, size: int, statistics: SplitStatistics) -> None:
    """Add the first `most` records of a shard, or those of its first `size` bytes."""
    buffer, read, head = RecordBuffer(), 0, size + _LARGEST
    with ShardGroup([path], [open_head(path, head)], limit=most + 1) as group:
        for number, location in enumerate(group.locations):
            if number == most or read > size or _is_beyond(head, path, location):
                statistics.is_complete = False
                return
            read += location.length
            try:
                statistics.add(group.load(number, dataset, buffer, check_crc=True))
            except RecordError as fault:
                statistics.add_fault(fault)
        if read > size and isinstance(path, StorePath):
            statistics.is_complete = False
            return
        for hiding in group.faults:
            statistics.add_fault(hiding, most - len(group))


def _is_beyond(head: int, path: DataPath, location: RecordLocation) -> bool:
    """Whether a record is not in the part of a shard that was copied from an object store."""
    return isinstance(path, StorePath) and location.offset + location.length + FOOTER > head


def keys_like_labels(path: DataPath, dataset: Dataset) -> list[str]:
    """Other keys of a shard's first record with integers; empty if it cannot be read."""
    with ShardGroup([path], [open_head(path, _LARGEST)], limit=1) as group:
        if not len(group):
            return []
        try:
            return group.read(0, lambda record: other_integer_keys(record, dataset), RecordBuffer(), False)
        except RecordError:
            return []
