"""What was found in the shards of a folder, kept beside them, so that only what has changed is read again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_kit.dataset import Dataset
from yt8m_kit.output.files import write_shared

FILE = "verified.json"
_FORMAT = 1  # to be raised when a shard would be judged otherwise


class Finding(NamedTuple):
    """One shard. md5: of its bytes, in hex, empty if they could not be read. records: as its framing has it.

    bad: how many places are faulty. faults: the first of them, record (None: the whole file) and reason.
    """

    md5: str
    records: int
    bad: int
    faults: list[tuple[int | None, str]]


class Manifest:
    """The findings of one folder for one data set, by file name, each with the size and time of its file."""

    def __init__(self, folder: Path, dataset: Dataset):
        self.path = folder / FILE
        self._about = {"format": _FORMAT, "features": [list(f) for f in dataset.features]}
        self._about |= {"classes": dataset.classes, "id_keys": list(dataset.id_keys)}
        about, shards = _kept(self.path)
        self._shards = shards if about == self._about else {}

    def get(self, path: Path) -> Finding | None:
        """What was found in a shard, None if it has changed since or was never looked at."""
        found = self._shards.get(path.name)
        if found is None or found[:2] != stamp(path):
            return None
        md5, records, bad, faults = found[2:]
        return Finding(md5, records, bad, [(record, reason) for record, reason in faults])

    def put(self, path: Path, then: list[int], finding: Finding) -> None:
        """Notes what was found in a shard that had the stamp `then` when it was opened."""
        self._shards[path.name] = [*then, *finding]

    def save(self) -> None:
        """Writes it, without the shards that are no longer there."""
        there = {name: found for name, found in self._shards.items() if (self.path.parent / name).exists()}
        text = json.dumps(self._about | {"shards": there}, indent=1) + "\n"
        write_shared(self.path, text.encode())


def stamp(path: Path) -> list[int]:
    """What tells whether a file has changed: its size and when it was last written, in ns."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def counts(paths: Sequence[Path]) -> dict[Path, int]:
    """Records of those shards that were looked at and have not changed since, whatever the data set."""
    found = {folder: _kept(folder / FILE)[1] for folder in {path.parent for path in paths}}
    known = ((path, found[path.parent].get(path.name)) for path in paths)
    return {path: int(entry[3]) for path, entry in known if entry and entry[:2] == stamp(path)}


def _kept(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a manifest is about, and its shards; neither if there is none or it is damaged."""
    try:
        about = json.loads(path.read_text())
        shards = about.pop("shards")
        sound = about["format"] == _FORMAT and all(len(found) == 6 for found in shards.values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        sound = False
    return (about, shards) if sound else ({}, {})
