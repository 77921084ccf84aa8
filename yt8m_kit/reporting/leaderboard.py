"""Tables of scores: reported and own results by ensemble, and Kaggle's live leaderboard."""

from pathlib import Path

import pandas as pd

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import UsageError
from yt8m_kit.output.files import write_text
from yt8m_kit.output.tables import MIB, Row, markdown, plain
from yt8m_kit.recipe import Ensemble
from yt8m_kit.submission import ledger

SHOWN = 20  # teams of the live leaderboard


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
    done = ledger.read()
    rows = []
    for recipe in map(recipes.load, recipes.names()):
        for title, ensemble in recipe.ensembles.items() if recipe.dataset.competition else ():
            ours = done[(done.recipe == recipe.name) & (done.ensemble == title)]
            rows.append(_row(recipe.name, title, ensemble, _best(ours)))
    path = recipes.folder() / "README.md"
    write_text(path, BOARD_HEAD + (markdown(rows) if rows else "No recipe is on a Kaggle competition.\n"))
    return path


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
        "reported MiB": _cell(ensemble.published_mib),
        "our MiB": _cell(size, ".1f"),
    }
    for half in ("public", "private"):
        reported = getattr(ensemble, f"published_{half}")
        score = None if ours is None or pd.isna(ours[half]) else ours[half]
        row[f"reported {half}"] = _cell(reported)
        row[f"our {half}"] = _cell(score, ".5f")
        known = score is not None and reported is not None
        row[f"{half} difference"] = _cell(score - reported if known else None, "+.5f")
    return row | {"command": f"`make submit RECIPE={name} ENSEMBLE={title} TO=kaggle`"}


def _cell(value: float | None, form: str = "") -> str:
    return "-" if value is None else format(value, form)


BOARD_HEAD = """# Submissions

One file per recipe, with its members, its ensembles, and the results reported by their authors (GAP@20 on
Kaggle's public and private halves, size of the model). `make leaderboard` writes the table from the recipes
and from results.csv, the ledger of submissions; - means not reported, or not submitted yet.

"""


def live_board(teams: list[tuple[str, float | None]]) -> str:
    """Format the first teams of the live leaderboard, and the rank that our best submission would have.

    teams: names and scores (GAP@20), best first, None without a score.
    """
    rows = [{"team": team, "rank": rank, "score": score} for rank, (team, score) in enumerate(teams, 1)]
    best = _best(ledger.read())
    if best is None:
        ours = "no submission of ours has a score yet"
    else:
        score = best.public if pd.isna(best.private) else best.private
        rank = 1 + sum(other is not None and other > score for _, other in teams)
        ours = f"ours: {best.recipe} {best.ensemble}, {score:.5f}, would rank {rank} of {len(teams)}"
    return (plain(rows[:SHOWN]) if rows else "the leaderboard is empty\n") + ours + "\n"
