"""Label names by class number, with verticals and counts of training videos where they are given."""

import csv
from typing import NamedTuple

from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output.checksums import check_checksum
from yt8m_kit.stores.path import DataPath

FILE = "vocabulary.csv"  # in the folder of a data set
_NUMBER, _NAME = ("index",), ("name", "display_name")  # column names, in lower case
# What may stand above a list of names, in lower case and with blanks for underscores.
_HEADINGS = {
    *("name", "names", "label", "labels", "class", "classes", "category", "categories"),
    *("display name", "class name", "class names", "label name", "label names"),
}
_VERTICAL, _VIDEOS = "vertical1", ("trainvideocount", "train_video_count")  # optional columns

_DIGITS = 9  # of a class number, at most


class Entry(NamedTuple):
    """A label: its name, its vertical ("" if not given), its count of training videos (None if not given)."""

    name: str
    vertical: str = ""
    videos: int | None = None


def parse(text: bytes, classes: int | None = None) -> dict[int, str]:
    """Parse a vocabulary as parse_entries does; returns the names by class number."""
    return {label: entry.name for label, entry in parse_entries(text, classes).items()}


def parse_entries(text: bytes, classes: int | None = None) -> dict[int, Entry]:
    """Parse a CSV with the columns Index and Name (or display_name); returns the labels by class number.

    Vertical1 and TrainVideoCount are read where they exist, other columns are ignored. A text without commas
    is a list of the names of class 0, 1 and so on, one per line. classes: their number, None if unknown. A
    first line such as `Label` is a heading above a list of as many names, and a name in a list of as many
    lines. Raises DataError with the line number for anything else, and where such a line may be either.
    """
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"not a vocabulary: it begins with {text[:40]!r}") from None
    try:
        rows = [row for row in csv.reader(lines) if row]
    except csv.Error as error:
        raise DataError(f"not a vocabulary: {error}") from None
    if not rows:
        raise DataError("not a vocabulary: it is empty")
    header = [cell.strip().lower() for cell in rows[0]]
    number = next((header.index(key) for key in _NUMBER if key in header), None)
    name = next((header.index(key) for key in _NAME if key in header), None)
    if number is not None and name is not None:
        return _numbered(rows[1:], number, name, header)
    if any(len(row) > 1 for row in rows) or "<" in rows[0][0]:
        raise DataError(
            f"not a vocabulary: its columns must include Index and Name; line 1 is {lines[0][:60]!r}"
        )
    names = _listed([row[0].strip() for row in rows], classes)
    return {label: Entry(name) for label, name in enumerate(names)}


def _listed(lines: list[str], classes: int | None) -> list[str]:
    """The names of a list, without its heading."""
    if lines[0].lower().replace("_", " ") not in _HEADINGS or len(lines) == classes:
        return lines
    if len(lines) - 1 == classes:
        return lines[1:]
    expected = "" if classes is None else f", and the data set has {classes:,} classes"
    raise DataError(
        f"line 1 is {lines[0]!r}: a heading, or the name of class 0? The list has {len(lines):,} lines"
        f"{expected}. Write a CSV with the columns Index and Name"
    )


def _numbered(rows: list[list[str]], number: int, name: int, header: list[str]) -> dict[int, Entry]:
    entries: dict[int, Entry] = {}
    for line, row in enumerate(rows, 2):
        label = row[number] if len(row) > max(number, name) else ""
        if not (label.isdecimal() and len(label) <= _DIGITS) or int(label) in entries:
            raise DataError(f"line {line} must begin with a new class number; got {','.join(row)[:60]!r}")
        cells = dict(zip(header, row))
        videos = next((cells[key] for key in _VIDEOS if cells.get(key, "").isdecimal()), None)
        vertical = cells.get(_VERTICAL, "").strip()
        entries[int(label)] = Entry(row[name].strip(), vertical, int(videos) if videos else None)
    return entries


def read(path: DataPath, classes: int | None = None) -> dict[int, str]:
    """Read the names by class number from a file; raises as read_entries does."""
    return {label: entry.name for label, entry in read_entries(path, classes).items()}


def read_entries(path: DataPath, classes: int | None = None) -> dict[int, Entry]:
    """Read the labels by class number from a file, see parse_entries.

    Raises UsageError without a file; DataError with the path, also if it cannot be read; KitError if it is
    not as its SHA-256 file says.
    """
    try:
        check_checksum(path)
        return parse_entries(path.read_bytes(), classes)
    except FileNotFoundError:
        raise UsageError(f"no file {path} with the names of classes.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    except DataError as error:
        raise DataError(f"{path}: {error}.") from None
