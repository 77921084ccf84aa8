"""Verification results of a folder's shards, stored with them, so that only changed shards are read again."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.output.files import write_shared
from yt8m_kit.output.sealed import read_sealed, sealed

FILE = "verified.json"
_FORMAT = 2  # raise it when verification of an unchanged shard could give another result


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

    def __init__(self, folder: Path, dataset: Dataset):
        self.path = folder / FILE
        self._about = {"format": _FORMAT, "features": [list(f) for f in dataset.features]}
        self._about |= {"classes": dataset.classes, "id_keys": list(dataset.id_keys)}
        self._about |= dataset.other_label_keys
        about, shards = _read(self.path)
        self._shards = shards if about == self._about else {}

    def get(self, path: Path) -> Finding | None:
        """The finding of a shard; None if it has changed since or was never verified."""
        found = self._shards.get(path.name)
        if found is None or found[:2] != stamp(path):
            return None
        md5, records, bad, faults = found[2:]
        return Finding(md5, records, bad, [(record, reason) for record, reason in faults])

    def put(self, path: Path, opened: list[int], finding: Finding) -> None:
        """Store the finding of a shard; opened: stamp of the file when it was opened."""
        self._shards[path.name] = [*opened, *finding]

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove the findings of shards and save the manifest."""
        for path in paths:
            self._shards.pop(path.name, None)
        self.save()

    def save(self) -> None:
        """Write the manifest atomically, without shards that no longer exist."""
        existing = {name: found for name, found in self._shards.items() if (self.path.parent / name).exists()}
        text = json.dumps(sealed(self._about | {"shards": existing}), indent=1) + "\n"
        write_shared(self.path, text.encode())


def stamp(path: Path) -> list[int]:
    """Size in bytes and mtime in ns of a file, to detect changes."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def counts(paths: Sequence[Path]) -> dict[Path, int]:
    """Record counts of the shards that were verified and are unchanged since, for any data set."""
    found = {folder: _read(folder / FILE)[1] for folder in {path.parent for path in paths}}
    known = ((path, found[path.parent].get(path.name)) for path in paths)
    return {path: int(entry[3]) for path, entry in known if entry and entry[:2] == stamp(path)}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and shards of a manifest; both empty if it is missing, damaged or was edited."""
    try:
        about = read_sealed(path)
        shards = about.pop("shards")
        return (about, shards) if about["format"] == _FORMAT else ({}, {})
    except (KitError, AttributeError, KeyError, TypeError):
        return {}, {}
