"""Verification results of a folder's shards, stored with them, so that only changed shards are read again."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.output.files import write_shared
from yt8m_kit.output.sealed import read_sealed, sealed
from yt8m_kit.stores.listing import MANIFEST
from yt8m_kit.stores.path import DataPath, StorePath
from yt8m_kit.stores.request import StoreError

FILE = MANIFEST
_FORMAT = 2  # raise it when verification of an unchanged shard could give another result


Stamp = list[Any]


class Finding(NamedTuple):
    """Result for one shard. md5: of its bytes, in hex, empty if unreadable. records: count by its framing.

    bad: number of faults. faults: the first of them, record (None: the whole file) and reason.
    """

    md5: str
    records: int
    bad: int
    faults: list[tuple[int | None, str]]


class Manifest:
    """The findings of a folder for one data set, by file name, each with size and mtime of its file."""

    def __init__(self, folder: DataPath, dataset: Dataset):
        self.path = folder / FILE
        self._about = {"format": _FORMAT, "features": [list(f) for f in dataset.features]}
        self._about |= {"classes": dataset.classes, "id_keys": list(dataset.id_keys)}
        self._about |= dataset.about_labels
        about, shards = _read(self.path)
        self._shards = shards if about == self._about else {}

    def get(self, path: DataPath) -> Finding | None:
        """The finding of a shard; None if it has changed since or was never verified."""
        found = self._shards.get(path.name)
        if found is None or found[:2] != stamp(path):
            return None
        md5, records, bad, faults = found[2:]
        return Finding(md5, records, bad, [(record, reason) for record, reason in faults])

    def put(self, path: DataPath, opened: Stamp, finding: Finding) -> None:
        """Store the finding of a shard; opened: stamp of the file when it was opened."""
        self._shards[path.name] = [*opened, *finding]

    def remove(self, paths: Iterable[DataPath]) -> None:
        """Remove the findings of shards and save the manifest."""
        for path in paths:
            self._shards.pop(path.name, None)
        self.save()

    def save(self) -> None:
        """Write the manifest atomically, without shards that no longer exist; not on a web server."""
        existing = {name: found for name, found in self._shards.items() if (self.path.parent / name).exists()}
        text = json.dumps(sealed(self._about | {"shards": existing}), indent=1) + "\n"
        if not isinstance(self.path, StorePath) or self.path.is_writable:
            write_shared(self.path, text.encode())


def size_of(path: DataPath) -> int:
    """Size of a shard in bytes."""
    return path.known().size if isinstance(path, StorePath) else path.stat().st_size


def stamp(path: DataPath) -> Stamp:
    """Size in bytes and mtime in ns of a file, or size and version of an object, to detect changes."""
    if isinstance(path, StorePath):
        return [path.known().size, path.known().version]
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def counts(paths: Sequence[DataPath]) -> dict[DataPath, int]:
    """Record counts of the shards that were verified and are unchanged since, for any data set."""
    found = {folder: _read(folder / FILE)[1] for folder in {path.parent for path in paths}}
    known = ((path, found[path.parent].get(path.name)) for path in paths)
    return {path: int(entry[3]) for path, entry in known if entry and _is_of(entry, path)}


def _is_of(entry: list[Any], path: DataPath) -> bool:
    """Whether an entry of a manifest is of this shard.

    A manifest may have been copied to a store with its shards: then sizes and, if known, MD5s are compared.
    """
    if entry[:2] == stamp(path):
        return True
    if not isinstance(path, StorePath):
        return False
    now = path.known()
    return bool(entry[0] == now.size and now.md5 in ("", entry[2]))


def _read(path: DataPath) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and shards of a manifest; both empty if it is missing, damaged or was edited."""
    try:
        about = read_sealed(path)
        shards = about.pop("shards")
        return (about, shards) if about["format"] == _FORMAT else ({}, {})
    except StoreError:  # not an answer to whether there is one
        raise
    except (KitError, AttributeError, KeyError, TypeError):
        return {}, {}
