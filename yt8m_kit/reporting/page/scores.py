"""The score table: figures of members and ensembles beside those that were reported."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from yt8m_kit.output.tables import Row
from yt8m_kit.recipe import Recipe
from yt8m_kit.reporting.report import DIGITS

REPORTED, DIFFERENCE = "reported ", " difference"
TEXTS = ("name", "family", "stale")


class Column(NamedTuple):
    """A column of the table: a sort key and a text for each row; is_text: sorted by the text."""

    title: str
    is_text: bool
    cells: list[tuple[Any, str]]


def score_table(recipe: Recipe, rows: Sequence[Row]) -> list[Column]:
    """Columns of the table; those without any figure are left out. rows: of report.figures.

    Reported scores and sizes are the authors', differences ours minus theirs.
    """
    whole = [row | _reported(recipe, row) for row in rows]
    columns = []
    for title in dict.fromkeys(name for row in whole for name in row):
        values = [row.get(title) for row in whole]
        if any(value is not None for value in values):
            cells = [(value, _text(title, value)) for value in values]
            columns.append(Column(title, title in TEXTS, cells))
    return columns


def _text(title: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    digits = DIGITS.get(title.removeprefix(REPORTED).removesuffix(DIFFERENCE), 0)
    return f"{value:{'+' if title.endswith(DIFFERENCE) else ''},.{digits}f}"


def _reported(recipe: Recipe, row: Row) -> Row:
    """Reported figures of a row's member or ensemble, and ours minus these."""
    if member := recipe.members.get(row["name"]):
        reported: Row = {"parameters": member.published_parameters}
    else:
        ensemble = recipe.ensembles[row["name"]]
        reported = {f"board {half}": getattr(ensemble, f"published_{half}") for half in ("public", "private")}
        reported["exported MiB"] = ensemble.published_mib
    found: Row = {}
    for title, theirs in reported.items():
        ours = row[title]
        found[REPORTED + title] = theirs
        found[title + DIFFERENCE] = None if None in (ours, theirs) else ours - theirs
    return found
