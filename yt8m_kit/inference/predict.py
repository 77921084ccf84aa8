"""From the exported graph and a split to the submission's CSV."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.loader.prefetch import prefetch
from yt8m_kit.dataset import Dataset
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.output import progress
from yt8m_kit.output.files import replacing, write_json
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run
from yt8m_kit.submission.csv_reader import HEADER, check
from yt8m_kit.submission.csv_writer import text

BATCH = 128
SAVE_BATCHES = 50  # batches between saved positions


def predict(
    recipe: Recipe, name: str, data: Path, runs: Path, *, split: str = "test", strict: bool = False
) -> Path:
    """Write submission.csv: the top 20 labels of every video of a split, in file order; return its path.

    A killed run goes on where it was. The file takes its name only after it was read back and checked.
    """
    run = Run.of(runs, recipe.name, name)
    run.need(run.graph, "export")
    if run.submission.exists():
        return run.submission
    paths = splits.find(data, split)
    with run.alone():
        expected = _write_rows(load_graph(run.graph, "top"), recipe.dataset, paths, _partial(run), strict)
        check(_partial(run), recipe.dataset.classes, expected)
        with replacing(run.submission) as temporary:
            os.replace(_partial(run), temporary)
        _place(run).unlink(missing_ok=True)
    return run.submission


def _partial(run: Run) -> Path:
    return run.path / "submission.partial.csv"


def _place(run: Run) -> Path:
    return run.path / "submission.place.json"


def _write_rows(
    top: Callable[..., Any], dataset: Dataset, paths: list[Path], partial: Path, strict: bool
) -> int:
    """Append the rows that are missing and return how many there are now."""
    place = partial.with_name("submission.place.json")
    written, done, position = _resume(partial, place)
    faults = Faults()
    batches = prefetch(
        read_batches(paths, dataset, BATCH, start=position, strict=strict, faults=faults, reuse=4), 1
    )
    total = splits.count(paths)
    with partial.open("r+" if written else "w") as file, closing(batches), progress.bar(
        total, "predict", initial=done
    ) as bar:  # fmt: skip
        file.seek(written)
        if not written:
            file.write(HEADER + "\n")
        for number, batch in enumerate(batches, 1):
            best = top(batch)
            file.write(text(batch.ids, best["labels"], best["confidences"]))
            done += len(batch.ids)
            bar.update(len(batch.ids))
            if number % SAVE_BATCHES == 0:
                _remember(file, place, done, batch.position)
        file.flush()
        os.fsync(file.fileno())
    if faults.summary():
        progress.say(faults.summary())
    return done


def _remember(file: Any, place: Path, done: int, position: Position) -> None:
    file.flush()
    os.fsync(file.fileno())
    write_json(place, {"bytes": file.tell(), "rows": done, "position": list(position)})


def _resume(partial: Path, place: Path) -> tuple[int, int, Position]:
    """Bytes and rows that stand, and where to go on; what was written after them is cut off."""
    if not (partial.exists() and place.exists()):
        return 0, 0, Position()
    saved = json.loads(place.read_text())
    if partial.stat().st_size < saved["bytes"]:
        return 0, 0, Position()
    os.truncate(partial, saved["bytes"])
    return saved["bytes"], saved["rows"], Position(*saved["position"])
