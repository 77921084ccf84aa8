"""Tables of scores: reported and own results by ensemble, and Kaggle's live leaderboard."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import UsageError
from yt8m_kit.output.facts import Table
from yt8m_kit.output.files import write_text
from yt8m_kit.output.tables import MIB, Row, markdown
from yt8m_kit.recipe import Ensemble
from yt8m_kit.submission import ledger

SHOWN = 20  # teams of the live leaderboard
Team = tuple[str, float | None]  # name, and score if there is one


def leaderboard() -> Path:
    """Regenerate submissions/README.md: reported and own scores of each ensemble; returns its path.

    One row for each ensemble of the recipes on a Kaggle competition, with the best of its submissions.

    Raises UsageError if there is no folder of recipes, which is where the table belongs.
    """
    if not recipes.folder().is_dir():
        raise UsageError(
            f"no folder of recipes {recipes.folder()} for the table; run where submissions/ is, or set "
            "YT8M_RECIPES."
        )
    rows = [_shown(row) for row in scores().rows]
    path = recipes.folder() / "README.md"
    write_text(path, BOARD_HEAD + (markdown(rows) if rows else "No recipe is on a Kaggle competition.\n"))
    return path


def scores() -> Table:
    """Sizes (MiB) and scores (GAP@20), reported and own, of each ensemble on a Kaggle competition."""
    done = ledger.read()
    rows = []
    for recipe in map(recipes.load, recipes.names()):
        for title, ensemble in recipe.ensembles.items() if recipe.dataset.competition else ():
            ours = done[(done.recipe == recipe.name) & (done.ensemble == title)]
            rows.append(_row(recipe.name, title, ensemble, _best(ours)))
    return Table(rows)


def _best(done: pd.DataFrame) -> pd.Series | None:
    """The scored submission with the best private score (public where there is none)."""
    scored = done[done.status == "complete"]
    keys = scored.private.fillna(scored.public).dropna()
    return scored.loc[keys.idxmax()] if len(keys) else None


def _row(name: str, title: str, ensemble: Ensemble, ours: pd.Series | None) -> Row:
    size = None if ours is None or pd.isna(ours.model_bytes) else ours.model_bytes / MIB
    row: Row = {
        "recipe": name,
        "ensemble": title,
        "reported MiB": ensemble.published_mib,
        "our MiB": size,
    }
    for half in ("public", "private"):
        reported = getattr(ensemble, f"published_{half}")
        score = None if ours is None or pd.isna(ours[half]) else float(ours[half])
        known = score is not None and reported is not None
        row[f"reported {half}"] = reported
        row[f"our {half}"] = score
        row[f"{half} difference"] = score - reported if known else None
    return row


def _shown(row: Row) -> Row:
    """A row of the table in README.md: rounded, - where nothing is known, and the command."""
    command = f"`make submit RECIPE={row['recipe']} ENSEMBLE={row['ensemble']} TO=kaggle`"
    return {
        name: "-" if value is None else format(value, FORMATS.get(name, "")) for name, value in row.items()
    } | {"command": command}


FORMATS = {"our MiB": ".1f"} | {
    name: form
    for half in ("public", "private")
    for name, form in ((f"our {half}", ".5f"), (f"{half} difference", "+.5f"))
}

BOARD_HEAD = """# Submissions

One file per recipe, with its members, its ensembles, and the results reported by their authors (GAP@20 on
Kaggle's public and private halves, size of the model). `make leaderboard` writes the table from the recipes
and from results.csv, the ledger of submissions; - means not reported, or not submitted yet.

"""


def live_board(teams: Sequence[Team]) -> Table:
    """The first teams of the live leaderboard; teams: names and scores (GAP@20), best first."""
    rows = [{"team": team, "rank": rank, "score": score} for rank, (team, score) in enumerate(teams, 1)]
    return Table(rows[:SHOWN])


def rank_line(teams: Sequence[Team]) -> str:
    """The rank on the live leaderboard that our best submission would have, as a sentence."""
    best = _best(ledger.read())
    if best is None:
        ours = "no submission of ours has a score yet"
    else:
        score = best.public if pd.isna(best.private) else best.private
        rank = 1 + sum(other is not None and other > score for _, other in teams)
        ours = f"ours: {best.recipe} {best.ensemble}, {score:.5f}, would rank {rank} of {len(teams)}"
    return ours if teams else f"the leaderboard is empty\n{ours}"
