"""Format rows as an aligned table, for a terminal or for Markdown."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
MIB = 2**20  # bytes


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _columns(rows: Sequence[Row]) -> tuple[list[str], list[list[str]], list[int]]:
    names = [
        key for key in dict.fromkeys(k for row in rows for k in row) if any(_text(r.get(key)) for r in rows)
    ]
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells)]
    return names, cells, widths


def _line(cells: Sequence[str], widths: Sequence[int], between: str) -> str:
    # The first column holds names, the others mostly numbers.
    first, *others = (
        cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths))
    )
    return between.join([first, *others])


def plain(rows: Sequence[Row]) -> str:
    """Format the rows for a terminal; columns are the keys in order of appearance, empty ones are dropped."""
    names, cells, widths = _columns(rows)
    return "\n".join([_line(names, widths, "  "), *(_line(row, widths, "  ") for row in cells)]) + "\n"


def markdown(rows: Sequence[Row]) -> str:
    """Format the rows as a Markdown table."""
    names, cells, widths = _columns(rows)
    rule = [width * "-" for width in widths]
    lines = [names, rule, *cells]
    return "".join(f"| {_line(line, widths, ' | ')} |\n" for line in lines)
