"""Shards of a split for an experiment: their paths, limited for a trial, and their listing for records."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader import manifest, splits
from yt8m_kit.errors import UsageError
from yt8m_kit.output.files import write_shared
from yt8m_kit.run import Experiment

COUNTED = 1 << 30  # bytes of a split up to which records are counted by reading their headers


class Prefix(NamedTuple):
    """The first records of a shard: their number, and their bytes in the shard."""

    shard: Path
    records: int
    size: int


def first_records(paths: Sequence[Path], limit: int) -> list[Prefix]:
    """Return the shards that hold the first `limit` records, in order; only the last one may be in part."""
    found = []
    for path in paths:
        if limit == 0:
            break
        index = tfrecord.index(path)
        records = min(limit, len(index.offsets))
        is_whole = records == len(index.offsets)
        last = 0 if is_whole else int(index.offsets[records - 1] + index.lengths[records - 1])
        found.append(Prefix(path, records, path.stat().st_size if is_whole else last + tfrecord.FOOTER))
        limit -= records
    return found


def paths_of(experiment: Experiment, split: str) -> list[Path]:
    """Find the shards of a split, sorted by path.

    With a limit on videos: shards with only the first records of the split, in this order, so that they are
    the same for any number of readers. A shard that is used in part is copied, up to its last record, to the
    trial's folder. Raises UsageError if there are no shards, KitError if the copy cannot be written.
    """
    paths, limit = splits.find(experiment.data, split), _limit(experiment)
    if limit is None:
        return paths
    prefixes = first_records(paths, limit)
    return [_copied(each, experiment.place / ".records" / split) for each in prefixes]


def _limit(experiment: Experiment) -> int | None:
    return experiment.trial.limit_videos if experiment.trial else None


def _copied(prefix: Prefix, folder: Path) -> Path:
    """Return the shard itself if all of it is used, else its copy, which has the shard's time."""
    source = prefix.shard.stat()
    if prefix.size == source.st_size:
        return prefix.shard
    copy, stamp = folder / prefix.shard.name, [prefix.size, source.st_mtime_ns]
    if not (copy.exists() and manifest.stamp(copy) == stamp):
        with prefix.shard.open("rb") as shard:
            write_shared(copy, shard.read(prefix.size))
        os.utime(copy, ns=(source.st_mtime_ns, source.st_mtime_ns))
    return copy


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
    sizes = {path: path.stat().st_size for path in paths}
    records: dict[Path, int | None] = {**manifest.counts(paths)}
    if sum(sizes.values()) <= COUNTED:
        records |= {path: len(tfrecord.index(path).offsets) for path in paths if path not in records}
    return {path.name: (size, records.get(path)) for path, size in sizes.items()}
