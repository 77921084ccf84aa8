"""Find the shards of a split and count their records."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader import manifest
from yt8m_kit.data.reading.shard_group import SCANS
from yt8m_kit.errors import UsageError
from yt8m_kit.output.progress import plural

_LEVELS = ("frame", "video")  # of folders with the official layout; the first with shards wins


def find(data: Path, split: str) -> list[Path]:
    """Find the shards of a split (train, validate, test), sorted by path.

    Frame-level folders of the official layout come before video-level ones. Raises UsageError if there are
    none, or if they are in several other folders, such as those of 2018 and 2019, or DATA and DATA/SPLIT.
    """
    patterns = _patterns(split)
    found = [paths for pattern in patterns if (paths := sorted(data.glob(pattern)))]
    if len(found) > 1 and not _is_official(found[0][0], data):
        raise UsageError(_several(data, split, found))
    if found:
        folders = sorted({path.parent for path in found[0]})
        if len(folders) > 1:
            choice = " or ".join(f"--data={folder.parent}" for folder in folders)
            raise UsageError(f"{data} holds {split} shards in {len(folders)} folders: take {choice}.")
        return found[0]
    looked_for = ", ".join(str(data / pattern) for pattern in patterns)
    raise UsageError(
        f"no {split} shards: looked for {looked_for}. `yt8m convert SOURCE {data} --split={split}` "
        f"makes them from own videos, `yt8m download --split={split} --data={data}` fetches YouTube-8M's, "
        f"`yt8m synthesize {data}` makes a small data set."
    )


def _is_official(path: Path, data: Path) -> bool:
    """Whether a shard lies in a folder of the official layout, VERSION/LEVEL/SPLIT."""
    return len(path.relative_to(data).parts) == len(("version", "level", "split", "shard"))


def _several(data: Path, split: str, found: list[list[Path]]) -> str:
    """Refusal of shards in several layouts, with an example and the number of each."""
    each = " and ".join(f"{paths[0].relative_to(data)} ({plural(len(paths), 'shard')})" for paths in found)
    return (
        f"{data} holds {split} shards in {len(found)} places: {each}. Move away or delete those that do not "
        "belong to the data set."
    )


def folders(data: Path, split: str) -> set[Path]:
    """Find all folders at or below `data` in which `find` looks for shards of a split and that hold some."""
    return {path.parent for pattern in _patterns(split) for path in data.glob(pattern)}


def _patterns(split: str) -> tuple[str, ...]:
    """Where shards of a split may lie; the first pattern with shards wins."""
    return (
        f"{split}*.tfrecord",
        f"{split}/*.tfrecord",
        *(f"*/{level}/{split}/*.tfrecord" for level in _LEVELS),
    )


def count(paths: Sequence[Path]) -> int:
    """Count the records of the shards by their headers; those after a framing error are not counted.

    For shards that `yt8m verify` has read and that are unchanged, the count comes from its manifest.
    """
    known = manifest.counts(paths)
    unknown = [path for path in paths if path not in known]
    with ThreadPoolExecutor(SCANS) as pool:
        found = pool.map(lambda path: len(tfrecord.index(path).offsets), unknown)
        return sum(known.values()) + sum(found)
