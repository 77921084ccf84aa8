"""Predict a split with the exported graph: a CSV of the top 20 labels of each video."""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from yt8m_kit.data.format.video_id import is_usable
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.inference.sweep import sweep_split
from yt8m_kit.machine import signals
from yt8m_kit.machine.space import check_space
from yt8m_kit.metrics import TOP
from yt8m_kit.output import progress
from yt8m_kit.output.files import explaining, give_name
from yt8m_kit.output.sealed import read_sealed, write_sealed
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath
from yt8m_kit.submission.csv_reader import HEADER, check
from yt8m_kit.submission.csv_writer import text

PAIR = 8  # bytes of a label, its confidence and two blanks: more, where confidences have six digits
SAVE_BATCHES = 50  # batches between saved positions


def predict(
    experiment: Experiment, name: str, *, split: str = "test", strict: bool = False, anew: bool = False
) -> Path:
    """Write the top 20 labels of every video of a split, in file order, to a CSV; return its path.

    The file is submission.csv for the test split, else predictions.SPLIT.csv; it is renamed into place only
    after it was read back and checked. An interrupted prediction resumes. strict: a bad record raises
    DataError instead of being skipped. Raises UsageError if existing predictions are from another graph or
    other shards.
    """
    stages = Stages(experiment)
    stage, dataset = stages.predict(name, split), experiment.recipe.dataset
    with working(stage, anew=anew) as job:
        partial, position = stage.partials
        if not job.is_done:
            paths = paths_of(experiment, split)
            top = load_graph(verified(stages.export(name)), "top")
            rows = _write_rows(top, dataset, paths, partial, position, strict)
            check(partial, dataset.classes, rows)
            job.figures = {"videos": rows}
            with job.writing() as temporary:
                give_name(partial, temporary)  # a second name: if this fails, the rows are kept
        for leftover in (position, partial):
            leftover.unlink(missing_ok=True)
    return stage.main


class _Rows:
    """The rows of a prediction, with saved positions to resume from.

    done: rows already written. start: position in the split from which to resume.
    """

    def __init__(self, partial: Path, place: Path):
        self._partial, self._place = partial, place
        self._digest, self._ids = hashlib.sha256(), set[str]()
        self.done, self.start, size = self._kept()
        self._file = partial.open("rb+" if size else "wb")
        self._file.seek(size)
        self._file.truncate()
        if not size:
            self._write(HEADER + "\n")

    def add(self, batch: Batch, best: dict[str, NDArray[Any]]) -> None:
        """Append the rows of a batch. Raises DataError for an id that the CSV cannot hold or has already."""
        for identity in batch.ids:
            self._check(identity)
        self._write(text(batch.ids, best["labels"], best["confidences"]))
        self.done += len(batch.ids)

    def _check(self, identity: str) -> None:
        if identity in self._ids or not is_usable(identity):
            why = "occurs more than once" if is_usable(identity) else "holds a blank or comma"
            raise DataError(
                f"video {identity!r} {why}: {self._partial.name} needs a row of its own for each video. "
                "`yt8m convert` replaces blanks and commas and drops repeats."
            )
        self._ids.add(identity)

    def save(self, position: Position | None = None) -> None:
        """Flush the rows to disk and, given their position in the split, save where to resume."""
        with explaining(self._partial):
            self._file.flush()
            os.fsync(self._file.fileno())
        if position is not None:
            place = {"bytes": self._file.tell(), "rows": self.done, "position": list(position)}
            write_sealed(self._place, place | {"digest": self._digest.hexdigest()})

    def close(self) -> None:
        """Close the file."""
        with explaining(self._partial):
            self._file.close()

    def _write(self, rows: str) -> None:
        encoded = rows.encode()
        with explaining(self._partial):
            self._file.write(encoded)
        self._digest.update(encoded)

    def _kept(self) -> tuple[int, Position, int]:
        """Rows, position and bytes of an interrupted prediction; zeros if none is intact."""
        if not (self._partial.exists() and self._place.exists()):
            return 0, Position(), 0
        try:
            kept = read_sealed(self._place)
            with self._partial.open("rb") as file:
                rows = file.read(kept["bytes"])
            self._digest.update(rows)
            if self._digest.hexdigest() != kept["digest"]:
                raise KitError(f"{self._partial} is damaged.")
        except KitError as error:
            progress.say(f"{error} The prediction starts over.")
            self._digest = hashlib.sha256()
            return 0, Position(), 0
        self._ids.update(row.partition(b",")[0].decode() for row in rows.splitlines()[1:])
        return kept["rows"], Position(*kept["position"]), kept["bytes"]


def _write_rows(
    top: Callable[..., Any],
    dataset: Dataset,
    paths: Sequence[DataPath],
    partial: Path,
    place: Path,
    strict: bool,
) -> int:
    """Append the missing rows and return the total number."""
    with closing(_Rows(partial, place)) as rows:
        left = splits.count(paths) - rows.done
        check_space(partial.parent, left * min(dataset.classes, TOP) * PAIR, f"predicting {left:,} videos")
        swept = sweep_split(top, dataset, paths, "predict", start=rows.start, done=rows.done, strict=strict)
        with closing(swept), signals.noted() as request:
            for number, (batch, best) in enumerate(swept, 1):
                rows.add(batch, best)
                if number % SAVE_BATCHES == 0 or request.number:
                    rows.save(batch.position)
                request.raise_again()
        rows.save()
        return rows.done
