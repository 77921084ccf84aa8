"""Find the shards of a split and count their records."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import cast

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader import manifest
from yt8m_kit.data.reading.shard_group import SCANS
from yt8m_kit.data.reading.shards import Shards, open_shards
from yt8m_kit.errors import UsageError
from yt8m_kit.output.progress import plural
from yt8m_kit.stores.listing import MANIFEST
from yt8m_kit.stores.path import DataPath, P, StorePath

_LEVELS = ("frame", "video")  # of folders with the official layout; the first with shards wins
_COPIED = 1 << 30  # bytes of shards in an object store that are copied to count their records


def find(data: P, split: str) -> list[P]:
    """Find the shards of a split (train, validate, test), sorted by path.

    Frame-level folders of the official layout come before video-level ones. Raises UsageError if there are
    none, or if they are in several other folders, such as those of 2018 and 2019, or DATA and DATA/SPLIT;
    StoreError if an object store does not list them.
    """
    layouts = (paths for pattern in _patterns(split) if (paths := sorted(_matches(data, pattern))))
    found = next(layouts, None)
    if not found:
        raise UsageError(_none_found(data, split))
    if not (_is_official(found[0], data) or _is_web(data)) and (others := [*layouts]):
        raise UsageError(_several(data, split, [found, *others]))
    folders = sorted({path.parent for path in found})
    if len(folders) > 1:
        choice = " or ".join(f"--data={folder.parent}" for folder in folders)
        raise UsageError(f"{data} holds {split} shards in {len(folders)} folders: take {choice}.")
    return found


def _none_found(data: DataPath, split: str) -> str:
    patterns = _patterns(split)
    if _is_web(data):
        return (
            f"no {split} shards: no {MANIFEST} that lists any in {data}, {data}/{split} or "
            f"{data}/2/frame/{split}. Publish the one that `yt8m verify` writes next to the shards."
        )
    looked_for = ", ".join(str(data / pattern) for pattern in patterns)
    fetch = f"`yt8m download --split={split} --data={data}` fetches YouTube-8M's"
    if isinstance(data, StorePath):
        return f"no {split} shards: looked for {looked_for}. {fetch}."
    return (
        f"no {split} shards: looked for {looked_for}. `yt8m convert SOURCE {data} --split={split}` "
        f"makes them from own videos, {fetch}, `yt8m synthesize {data}` makes a small data set."
    )


def _is_web(data: DataPath) -> bool:
    """Whether it is a folder of a web server, where the first list of shards that is found is taken."""
    return isinstance(data, StorePath) and not data.is_writable


def _is_official(path: P, data: P) -> bool:
    """Whether a shard lies in a folder of the official layout, VERSION/LEVEL/SPLIT."""
    return len(path.parts) - len(data.parts) == len(("version", "level", "split", "shard"))


def _several(data: P, split: str, found: list[list[P]]) -> str:
    """Refusal of shards in several layouts, with an example and the number of each."""
    depth = len(data.parts)
    each = " and ".join(
        f"{'/'.join(paths[0].parts[depth:])} ({plural(len(paths), 'shard')})" for paths in found
    )
    return (
        f"{data} holds {split} shards in {len(found)} places: {each}. Move away or delete those that do not "
        "belong to the data set."
    )


def folders(data: P, split: str) -> set[P]:
    """Find all folders at or below `data` in which `find` looks for shards of a split and that hold some."""
    found = (path for pattern in _patterns(split) for path in _matches(data, pattern))
    return {cast("P", path.parent) for path in found}


def _matches(data: P, pattern: str) -> Iterator[P]:
    return cast("Iterator[P]", data.glob(pattern))


def _patterns(split: str) -> tuple[str, ...]:
    """Where shards of a split may lie; the first pattern with shards wins."""
    return (
        f"{split}*.tfrecord",
        f"{split}/*.tfrecord",
        *(f"*/{level}/{split}/*.tfrecord" for level in _LEVELS),
    )


def count(paths: Sequence[DataPath]) -> int:
    """Count the records of the shards by their headers; those after a framing error are not counted.

    For shards that `yt8m verify` has read and that are unchanged, the count comes from its manifest. Raises
    UsageError where shards of an object store are not in it and are too large to be copied for that.
    """
    known = manifest.counts(paths)
    unknown = [path for path in paths if path not in known]
    stored = [path for path in unknown if isinstance(path, StorePath)]
    if sum(map(manifest.size_of, stored)) > _COPIED:
        folder = stored[0].parent
        raise UsageError(
            f"{len(stored)} of {len(paths)} shards in {folder} have no record count in {folder}/{MANIFEST}: "
            f"run `yt8m verify --split=SPLIT --data=...`, or copy the {MANIFEST} of the same shards there."
        )
    with ThreadPoolExecutor(SCANS) as pool:
        return sum(known.values()) + sum(pool.map(records_of, unknown))


def records_of(path: DataPath) -> int:
    """Count the records of a shard by their headers; a shard of an object store is copied, once."""
    return len(index(path).offsets)


def index(path: DataPath) -> tfrecord.Index:
    """Index a shard by its record headers; a shard of an object store is copied for that, once."""
    return _stored_index(path) if isinstance(path, StorePath) else tfrecord.index(path)


@cache
def _stored_index(path: StorePath) -> tfrecord.Index:
    with Shards([path], open_shards([path])) as shards:
        return tfrecord.scan_headers(path, shards.files[0])
