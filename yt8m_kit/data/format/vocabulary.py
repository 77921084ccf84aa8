"""Label names: which class is called what."""

import csv
from pathlib import Path

from yt8m_kit.errors import DataError

FILE = "vocabulary.csv"  # where a data set keeps its own, beside the records
_NUMBER, _NAME = ("index",), ("name", "display_name")  # headings, in lower case


def parse(text: bytes) -> dict[int, str]:
    """Names by class number of a CSV with the columns Index and Name (or display_name), whatever else it has.

    A text without commas or heading is a list: the name of class 0, of class 1 and so on, one a line.
    Raises DataError, naming the line, for anything else.
    """
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"no label names: it begins with {text[:40]!r}") from None
    rows = [row for row in csv.reader(lines) if row]
    if not rows:
        raise DataError("no label names: it is empty")
    heading = [cell.strip().lower() for cell in rows[0]]
    number = next((heading.index(key) for key in _NUMBER if key in heading), None)
    name = next((heading.index(key) for key in _NAME if key in heading), None)
    if number is not None and name is not None:
        return _numbered(rows[1:], number, name)
    if any(len(row) > 1 for row in rows) or "<" in rows[0][0]:
        raise DataError(
            f"no label names: its columns must include Index and Name; line 1 is {lines[0][:60]!r}"
        )
    return {label: row[0].strip() for label, row in enumerate(rows)}


def _numbered(rows: list[list[str]], number: int, name: int) -> dict[int, str]:
    names: dict[int, str] = {}
    for line, row in enumerate(rows, 2):
        label = row[number] if len(row) > max(number, name) else ""
        if not label.isdecimal() or int(label) in names:
            raise DataError(f"line {line} must begin a class of its own; got {','.join(row)[:60]!r}")
        names[int(label)] = row[name].strip()
    return names


def read(path: Path) -> dict[int, str]:
    """The names in a file, see parse. Raises DataError, naming it, also if it cannot be read."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    except DataError as error:
        raise DataError(f"{path}: {error}.") from None
