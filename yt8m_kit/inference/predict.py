"""From the exported graph and a split to the submission's CSV."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.order import Position
from yt8m_kit.dataset import Dataset
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.inference.sweep import sweep_split
from yt8m_kit.output.files import replacing, write_json
from yt8m_kit.run import Experiment, Run
from yt8m_kit.submission.csv_reader import HEADER, check
from yt8m_kit.submission.csv_writer import text

SAVE_BATCHES = 50  # batches between saved positions


def predict(experiment: Experiment, name: str, *, split: str = "test", strict: bool = False) -> Path:
    """Write submission.csv: the top 20 labels of every video of a split, in file order; return its path.

    A killed run goes on where it was. The file takes its name only after it was read back and checked.
    """
    run = experiment.run(name)
    run.need(run.graph, "export")
    if run.submission.exists():
        return run.submission
    dataset, paths = experiment.recipe.dataset, splits.find(experiment.data, split)
    with run.alone():
        expected = _write_rows(load_graph(run.graph, "top"), dataset, paths, _partial(run), strict)
        check(_partial(run), dataset.classes, expected)
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
    swept = sweep_split(top, dataset, paths, "predict", start=position, done=done, strict=strict)
    with partial.open("r+" if written else "w") as file, closing(swept):
        file.seek(written)
        if not written:
            file.write(HEADER + "\n")
        for number, (batch, best) in enumerate(swept, 1):
            file.write(text(batch.ids, best["labels"], best["confidences"]))
            done += len(batch.ids)
            if number % SAVE_BATCHES == 0:
                _remember(file, place, done, batch.position)
        file.flush()
        os.fsync(file.fileno())
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
