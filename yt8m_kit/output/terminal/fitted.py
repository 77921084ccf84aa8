"""Tables in the width of a terminal: the most important columns, or one block a row; no line wraps."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from yt8m_kit.output.facts import Table
from yt8m_kit.output.tables import Row

GAP = 2  # characters between columns
INDENT = 4  # characters before a note, and before the columns of a block
FEWEST = 3  # columns of a table; where fewer fit, each row is a block


def show(table: Table, console: Console | None = None) -> None:
    """Print a table as wide as the console, by default that of standard output.

    Colours follow the console: none outside a terminal, with NO_COLOR or TERM=dumb. Columns that are not
    shown are named below the table.
    """
    console = console or Console(highlight=False)
    if not (rows := table.shown()):
        return
    names = _fitting(table, rows, console.width)
    if len(names) < min(FEWEST, len(rows[0])):
        return show_blocks(table, console)
    _show_lines(table, rows, names, console)
    if left_out := [name for name in rows[0] if name not in names]:
        _note(console, f"not shown: {', '.join(left_out)}; a wider terminal, --tsv or --json shows all", 0)


def _fitting(table: Table, rows: Sequence[Row], width: int) -> list[str]:
    """Names of the columns that fit, the most important ones, in their order."""
    chosen: list[str] = []
    left = width + GAP
    for name in dict.fromkeys((*(each for each in table.first if each in rows[0]), *rows[0])):
        left -= GAP + _width(rows, name)
        if left < 0:
            break
        chosen.append(name)
    return [name for name in rows[0] if name in chosen]


def _width(rows: Sequence[Row], name: str) -> int:
    return max(cell_len(text) for text in (name, *(row[name] for row in rows)))


def _show_lines(table: Table, rows: Sequence[Row], names: Sequence[str], console: Console) -> None:
    """Print the header, and each row followed by its notes."""

    def line(cells: Sequence[Text]) -> Grid:
        grid = Grid.grid(padding=(0, GAP, 0, 0))
        for name in names:
            is_text = any(isinstance(row.get(name), str | list) for row in table.rows)
            grid.add_column(justify="left" if is_text else "right", width=_width(rows, name), no_wrap=True)
        grid.add_row(*cells)
        return grid

    console.print(line([Text(name, style="bold") for name in names]))
    for row, notes in table.noted():
        console.print(line([_value(table, row, name) for name in names]))
        for note in notes:
            _note(console, note)


def _value(table: Table, row: Row, name: str) -> Text:
    return Text(row[name], style=table.colours.get(row[name], ""))


def _note(console: Console, text: str, indent: int = INDENT) -> None:
    console.print(Padding(Text(text.strip(), style="dim"), (0, 0, 0, indent), expand=False))


def show_blocks(table: Table, console: Console | None = None) -> None:
    """Print each row as its first value, and below it a line or more for each other column."""
    console = console or Console(highlight=False)
    for row, notes in table.noted():
        title, *others = row
        grid = Grid.grid(padding=(0, GAP, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name in (each for each in others if row[each]):
            grid.add_row(name, _value(table, row, name))
        console.print(Text(row[title], style="bold"))
        console.print(Padding(grid, (0, 0, 0, INDENT), expand=False))
        for note in notes:
            _note(console, note)
