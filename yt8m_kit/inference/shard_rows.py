"""The rows of a prediction, one file per shard, with positions from which an interrupted one resumes."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from yt8m_kit.data.format.video_id import is_usable
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.output import progress
from yt8m_kit.output.files import explaining
from yt8m_kit.output.locks import lock
from yt8m_kit.output.sealed import read_sealed, write_sealed
from yt8m_kit.stores.path import DataPath
from yt8m_kit.submission.csv_writer import text

SAVE_BATCHES = 50  # batches of a shard between saved positions


class ShardRows:
    """The rows of one shard, held for this process while it is open; a second one waits for it.

    count: rows written. record: records of the shard that were read for them. is_complete: there are no
    more. A damaged file starts over. ids: of videos that have rows in this or other shards; those of this
    shard's rows are added.
    """

    def __init__(self, folder: Path, shard: DataPath, ids: set[str] | None = None):
        self.path = folder / f"{shard.stem}.csv"
        self._place = folder / f"{shard.stem}.json"
        with explaining(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab+")
            lock(self._file.fileno(), self.path, fcntl.LOCK_EX)
        self._batches, self._ids = 0, set[str]() if ids is None else ids
        self._start_over()
        try:
            self._resume()
        except KitError as error:
            progress.say(f"{error} Its shard is predicted again.")
            self._start_over()
        with explaining(self.path):
            self._file.truncate(self._size)

    def _start_over(self) -> None:
        self.count = self.record = self._size = 0
        self.is_complete = False
        self._digest = hashlib.sha256()

    def _resume(self) -> None:
        if not self._place.exists():
            return
        kept = read_sealed(self._place)
        self._file.seek(0)
        rows = self._file.read(kept["bytes"])
        self._digest.update(rows)
        if self._digest.hexdigest() != kept["digest"]:
            raise KitError(f"{self.path} is damaged.")
        self.count, self.record, self._size = kept["rows"], kept["record"], kept["bytes"]
        self.is_complete = kept["complete"]
        self._ids.update(row.partition(b",")[0].decode() for row in rows.splitlines())

    def add(self, batch: Batch, best: dict[str, NDArray[Any]]) -> None:
        """Append the rows of a batch; every SAVE_BATCHES calls, save where to resume.

        Raises DataError for an id that the CSV cannot hold or has already.
        """
        for identity in batch.ids:
            self._check(identity)
        encoded = text(batch.ids, best["labels"], best["confidences"]).encode()
        with explaining(self.path):
            self._file.write(encoded)
        self._digest.update(encoded)
        self._size += len(encoded)
        self.count += len(batch.ids)
        self.record = batch.position.record
        self._batches += 1
        if self._batches % SAVE_BATCHES == 0:
            self.save()

    def _check(self, identity: str) -> None:
        if identity in self._ids or not is_usable(identity):
            why = "occurs more than once" if is_usable(identity) else "holds a blank or comma"
            raise DataError(
                f"video {identity!r} {why}: {self.path.parent.stem}.csv needs a row of its own for each "
                "video. `yt8m convert` replaces blanks and commas and drops repeats."
            )
        self._ids.add(identity)

    def complete(self) -> None:
        """Record that the shard has no more rows."""
        self.is_complete = True
        self.save()

    def save(self) -> None:
        """Sync the rows to disk, then save their position."""
        with explaining(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
        place = {"bytes": self._size, "rows": self.count, "record": self.record}
        write_sealed(self._place, place | {"complete": self.is_complete, "digest": self._digest.hexdigest()})

    def close(self) -> None:
        """Close the file and let other processes have it."""
        with explaining(self.path):
            self._file.close()
