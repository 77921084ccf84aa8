"""The shards of a split as a product's record keeps them: names, bytes, records; never contents."""

from pathlib import Path

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader import manifest, splits
from yt8m_kit.errors import UsageError

COUNTED = 1 << 30  # bytes of a split up to which headers are walked for the number of records


def shards_of(data: Path, split: str) -> dict[str, tuple[int, int | None]] | None:
    """Bytes and records by name of shard; None for a split that is not there.

    Records are those that `yt8m verify` counted; else small splits are counted, and large ones left unknown.
    """
    try:
        paths = splits.find(data, split)
    except UsageError:
        return None
    sizes = {path: path.stat().st_size for path in paths}
    records: dict[Path, int | None] = {**manifest.counts(paths)}
    if sum(sizes.values()) <= COUNTED:
        records |= {path: len(tfrecord.index(path).offsets) for path in paths if path not in records}
    return {path.name: (size, records.get(path)) for path, size in sizes.items()}
