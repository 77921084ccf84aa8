"""Names of the labels beside an exported graph, where the data set has a vocabulary."""

import csv
import io
from pathlib import Path

from yt8m_kit.data.format import vocabulary
from yt8m_kit.stores.path import DataPath

FILE = "labels.csv"  # in the graph's folder


def names_of(data: DataPath, classes: int) -> dict[int, str]:
    """Read DATA/vocabulary.csv: names by class number below `classes`, empty if there is no such file.

    Raises DataError for a malformed vocabulary and KitError for a damaged one.
    """
    path = data / vocabulary.FILE
    names = vocabulary.read(path, classes) if path.exists() else {}
    return {label: names[label] for label in sorted(names) if label < classes}


def write(names: dict[int, str], folder: Path) -> None:
    """Write labels.csv (UTF-8, columns index and name) into a graph's folder; nothing without names."""
    if names:
        (folder / FILE).write_text(_text(names), encoding="utf-8")


def read(folder: Path) -> dict[int, str]:
    """Read labels.csv of a graph's folder: names by class number, empty if there is no such file.

    Raises DataError for a malformed file.
    """
    path = folder / FILE
    return vocabulary.read(path) if path.exists() else {}


def is_current(names: dict[int, str], folder: Path) -> bool:
    """Whether a graph's folder has these names; any will do where there are none."""
    path = folder / FILE
    return not names or (path.exists() and path.read_text(encoding="utf-8") == _text(names))


def _text(names: dict[int, str]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows([("index", "name"), *names.items()])
    return text.getvalue()
