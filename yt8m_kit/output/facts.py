"""Tables of facts: values in full for programs (JSON, tab-separated), rounded for readers."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any, Literal

from yt8m_kit.errors import UsageError
from yt8m_kit.output.tables import Row, plain

Form = Literal["text", "tsv", "json"]
COLUMNS = 100  # characters of a note outside a terminal


@dataclass(frozen=True)
class Table:
    """Rows of JSON values by column, and how a reader sees them.

    digits: decimals of columns of floats; others are shown in full. first: the most important columns, which
    stay where a terminal is too narrow for all; then the others, in their order. hidden: columns for programs
    only. notes: lines below each row. colours: of values, as Rich names them, on a terminal.
    """

    rows: Sequence[Row]
    digits: Mapping[str, int] = field(default_factory=dict)
    first: Sequence[str] = ()
    hidden: Sequence[str] = ()
    notes: Sequence[Sequence[str]] = ()
    colours: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> list[Row]:
        """The rows as text for a reader, without hidden columns and columns that are empty in every row."""
        rows = [
            {name: _rounded(value, self.digits.get(name)) for name, value in row.items()} for row in self.rows
        ]
        names = [name for name in self.columns() if any(row.get(name) for row in rows)]
        return [{name: row.get(name, "") for name in names if name not in self.hidden} for row in rows]

    def noted(self) -> Iterator[tuple[Row, Sequence[str]]]:
        """Each row as shown, with its notes."""
        shown = self.shown()
        return zip(shown, [*self.notes, *[()] * (len(shown) - len(self.notes))])

    def columns(self) -> list[str]:
        """Names of all columns in order of appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))


def form_of(*, tsv: bool, json: bool) -> Form:
    """The form that --tsv and --json select. Raises UsageError for both."""
    if tsv and json:
        raise UsageError("facts are printed with --tsv or --json; got both.")
    return "tsv" if tsv else "json" if json else "text"


def as_json(tables: Mapping[str, Table]) -> str:
    """A list of rows, or with several tables an object of lists by title; not a number is null."""
    found = {title: _finite(list(table.rows)) for title, table in tables.items()}
    whole = found if len(found) > 1 else next(iter(found.values()))
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_tsv(table: Table) -> str:
    """A header and a line for each row; values in full, lists separated by spaces, None empty.

    Tabs and line breaks within a value become spaces.
    """
    names = table.columns()
    lines = [names, *([_cell(row.get(name)) for name in names] for row in table.rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def as_text(table: Table, columns: int = COLUMNS) -> str:
    """The whole table in aligned columns; notes are indented below their row, in lines of `columns`."""
    if not table.rows:
        return ""
    head, *lines = plain(table.shown()).splitlines()
    below = ((line, *_folded(notes, columns)) for line, (_, notes) in zip(lines, table.noted()))
    return "\n".join([head, *(part for parts in below for part in parts)]) + "\n"


def _folded(notes: Sequence[str], columns: int) -> Iterator[str]:
    for note in notes:
        yield from wrap(note, columns, initial_indent=" " * 4, subsequent_indent=" " * 8)


def _finite(value: Any) -> Any:
    """The value with None for each float that JSON cannot express."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " ".join(map(_cell, value))
    return " ".join(str(value).split()) if isinstance(value, str) else json.dumps(value)


def _rounded(value: Any, digits: int | None) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if digits is not None:
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else _cell(value) if isinstance(value, list) else str(value)
