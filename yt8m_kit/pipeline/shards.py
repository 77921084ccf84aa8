"""Shards of a split for provenance records: names, bytes and record counts, no contents."""

from yt8m_kit.data.loader import manifest, splits
from yt8m_kit.errors import UsageError
from yt8m_kit.stores.path import DataPath

COUNTED = 1 << 30  # bytes of a split up to which records are counted by reading their headers


def shards_of(data: DataPath, split: str) -> dict[str, tuple[int, int | None]] | None:
    """Return bytes and record counts by name of shard; None for a missing split.

    Counts are those of `yt8m verify`; otherwise small splits are counted, and counts of large ones are None.
    """
    try:
        paths = splits.find(data, split)
    except UsageError:
        return None
    sizes = {path: manifest.size_of(path) for path in paths}
    records: dict[DataPath, int | None] = {**manifest.counts(paths)}
    if sum(sizes.values()) <= COUNTED:
        records |= {path: splits.records_of(path) for path in paths if path not in records}
    return {path.name: (size, records.get(path)) for path, size in sizes.items()}
