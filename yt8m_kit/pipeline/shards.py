"""Shards of a split for an experiment: their paths, limited for a trial, and their listing for records."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.format.tfrecord import FOOTER
from yt8m_kit.data.loader import manifest, splits
from yt8m_kit.data.reading.shards import Shards, open_shards
from yt8m_kit.errors import UsageError
from yt8m_kit.output.files import write_shared
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath, StorePath

COUNTED = 1 << 30  # bytes of a split up to which records are counted by reading their headers


class Prefix(NamedTuple):
    """The first records of a shard: their number, and their bytes in the shard."""

    shard: DataPath
    records: int
    size: int


def first_records(paths: Sequence[DataPath], limit: int) -> list[Prefix]:
    """Return the shards that hold the first `limit` records, in order; only the last one may be in part."""
    found = []
    for path in paths:
        if limit == 0:
            break
        index = splits.index(path)
        records = min(limit, len(index.offsets))
        is_whole = records == len(index.offsets)
        last = 0 if is_whole else int(index.offsets[records - 1] + index.lengths[records - 1])
        found.append(Prefix(path, records, manifest.size_of(path) if is_whole else last + FOOTER))
        limit -= records
    return found


def paths_of(experiment: Experiment, split: str) -> list[DataPath]:
    """Find the shards of a split, sorted by path.

    With a limit on videos: shards with only the first records of the split, in this order, so that they are
    the same for any number of readers. A shard that is used in part is copied, up to its last record, to the
    trial's folder. Raises UsageError if there are no shards, KitError if the copy cannot be written.
    """
    paths, limit = splits.find(experiment.data, split), _limit(experiment)
    if limit is None:
        return [*paths]
    prefixes = first_records(paths, limit)
    return [_copied(each, experiment.place / ".records" / split) for each in prefixes]


def _limit(experiment: Experiment) -> int | None:
    return experiment.trial.limit_videos if experiment.trial else None


def _copied(prefix: Prefix, folder: Path) -> DataPath:
    """Return the shard itself if all of it is used, else its copy, which has the shard's time."""
    if prefix.size == manifest.size_of(prefix.shard):
        return prefix.shard
    time = _time(prefix.shard)
    copy, stamp = folder / prefix.shard.name, [prefix.size, time]
    if not (copy.exists() and manifest.stamp(copy) == stamp):
        with Shards([prefix.shard], open_shards([prefix.shard])) as shards:
            write_shared(copy, os.pread(shards.files[0], prefix.size, 0))
        os.utime(copy, ns=(time, time))
    return copy


def _time(shard: DataPath) -> int:
    """Modification time in ns; for an object, a number that changes with its version."""
    if isinstance(shard, StorePath):
        digest = hashlib.sha256(f"{shard}\n{shard.known().version}".encode()).digest()
        return int.from_bytes(digest[:7], "big")
    return shard.stat().st_mtime_ns


def shards_of(experiment: Experiment, split: str) -> dict[str, tuple[int, int | None]] | None:
    """Return bytes and record counts by name of shard; None for a missing split.

    Counts are those of `yt8m verify`; otherwise small splits are counted, and counts of large ones are None.
    """
    try:
        paths = splits.find(experiment.data, split)
    except UsageError:
        return None
    if (limit := _limit(experiment)) is not None:
        return {shard.name: (size, records) for shard, records, size in first_records(paths, limit)}
    sizes = {path: manifest.size_of(path) for path in paths}
    records: dict[DataPath, int | None] = {**manifest.counts(paths)}
    if sum(sizes.values()) <= COUNTED:
        records |= {path: splits.records_of(path) for path in paths if path not in records}
    return {path.name: (size, records.get(path)) for path, size in sizes.items()}
