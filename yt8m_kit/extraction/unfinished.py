"""The folder of a split while it is being extracted: finished shards, each with what it was made from."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.digest import digest
from yt8m_kit.output.files import give_name
from yt8m_kit.output.locks import lock
from yt8m_kit.output.provenance import changes
from yt8m_kit.output.sealed import read_sealed, write_sealed


class Unfinished:
    """OUT/.SPLIT.extracting: SPLIT0000.tfrecord and so on, and SPLIT0000.json of each."""

    def __init__(self, out: Path, split: str):
        self.folder, self._split = out / f".{split}.extracting", split
        self.folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other extractions of this split away. Raises UsageError if one is at work."""
        path = self.folder.with_suffix(".lock")
        with path.open("ab") as file:
            try:
                lock(file.fileno(), path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"another process extracts {self._split} to {self.folder.parent}. Wait for it or stop it."
                ) from None
            try:
                yield
            finally:
                path.unlink()

    def shard(self, number: int) -> Path:
        """Path of a shard."""
        return self.folder / f"{self._split}{number:04d}.tfrecord"

    def done(self, number: int, sources: dict[str, Any]) -> dict[str, str] | None:
        """Faults by video of a finished shard; None if it is not there, or was made from something else."""
        shard = self.shard(number)
        try:
            kept = read_sealed(shard.with_suffix(".json"))
            if kept["digest"] != (digest(shard) if shard.exists() else None):
                return None
            if differing := changes(kept["sources"], sources):
                progress.say(f"{shard.name} is made again: {differing[0]}")
                return None
            return dict(kept["faults"])
        except (KitError, KeyError, TypeError):
            return None

    def finish(self, number: int, sources: dict[str, Any], faults: dict[str, str]) -> None:
        """Record a shard; one without a usable video has no file."""
        shard = self.shard(number)
        kept = {"sources": sources, "faults": faults, "digest": digest(shard) if shard.exists() else None}
        write_sealed(shard.with_suffix(".json"), kept)

    def copy_to(self, folder: Path, shards: int) -> None:
        """Give the first so many shards, as far as they have videos, a second name in a folder."""
        for shard in filter(Path.exists, map(self.shard, range(shards))):
            give_name(shard, folder / shard.name)

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder)
