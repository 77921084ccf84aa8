"""The local board, a CSV against kept truth in a public and a private half; and the tables of scores."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from yt8m_kit import ledger
from yt8m_kit import recipe as recipes
from yt8m_kit.atomic import write_json, write_text
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.metrics import gap
from yt8m_kit.recipe import Ensemble, Recipe
from yt8m_kit.run import Run
from yt8m_kit.submission_file import read
from yt8m_kit.table import Row, markdown, plain

MIB = 2**20
SHOWN = 20  # teams of the live board


def submit_locally(recipe: Recipe, name: str, data: Path, runs: Path, *, dry_run: bool = False) -> Path:
    """Score submission.csv against DATA/test_truth.csv and write score.json beside it; return its path.

    dry_run: only check both files, and return the CSV's path.
    """
    run = Run.of(runs, recipe.name, name)
    run.need(run.submission, "predict")
    truth = read_truth(data / "test_truth.csv", recipe.dataset.classes)
    ids, labels, confidences = read(run.submission, recipe.dataset.classes)
    board = score(ids, labels, confidences, truth)
    if dry_run:
        return run.submission
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "sha256": ledger.sha256(run.submission)}
    write_json(run.score, about | board)
    return run.score


def read_truth(path: Path, classes: int) -> dict[str, set[int]]:
    """True labels by video of a CSV `VideoId,Labels`, labels separated by spaces."""
    if not path.exists():
        raise UsageError(
            f"the local board needs the kept truth {path}; submit --to=kaggle where there is none."
        )
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise KitError(f"cannot read {path}: {error}.") from None
    if list(table.columns) != ["VideoId", "Labels"]:
        raise KitError(f"{path}: line 1 must be 'VideoId,Labels'; got {','.join(table.columns)!r}.")
    try:
        truth = {video: set(map(int, text.split())) for video, text in zip(table.VideoId, table.Labels)}
    except ValueError as error:
        raise KitError(f"{path}: labels must be whole numbers separated by spaces: {error}.") from None
    if any(not 0 <= label < classes for labels in truth.values() for label in labels):
        raise KitError(f"{path}: labels must lie between 0 and {classes - 1}.")
    return truth


def score(
    ids: list[str],
    labels_Nk: NDArray[np.int32],
    confidences_Nk: NDArray[np.float32],
    truth: dict[str, set[int]],
) -> dict[str, float]:
    """GAP@20 over all videos and over the public and private halves."""
    missing, foreign = truth.keys() - set(ids), set(ids) - truth.keys()
    if missing or foreign:
        example = sorted(missing or foreign)[0]
        raise KitError(
            f"the submission and the truth are of different videos: {len(missing)} of the truth are missing, "
            f"{len(foreign)} are unknown, e.g. {example!r}."
        )
    hits = np.array([[label in truth[video] for label in row] for video, row in zip(ids, labels_Nk.tolist())])
    positives = np.array([len(truth[video]) for video in ids])
    public = np.array([is_public(video) for video in ids])
    halves = {"all": np.ones(len(ids), bool), "public": public, "private": ~public}
    return {
        half: gap(confidences_Nk[chosen], hits[chosen], int(positives[chosen].sum()))
        for half, chosen in halves.items()
        if positives[chosen].any()
    }


def is_public(video: str) -> bool:
    """Which half a video is in, drawn once by a hash of its id."""
    return hashlib.md5(video.encode(), usedforsecurity=False).digest()[0] < 128


def leaderboard() -> Path:
    """Regenerate submissions/README.md: what each ensemble's authors reported beside what was submitted.

    A row for each ensemble of the recipes on a Kaggle competition; of several submissions the best.
    """
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
    """The scored submission with the best private score (the public one where that is not out)."""
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

One file a recipe: its members, its ensembles, what their authors reported (GAP@20 on Kaggle's public and
private half, size of the model). `make leaderboard` writes the table from the recipes and from results.csv,
the record of what was handed in; - means not reported, or not handed in yet.

"""


def beside(teams: list[tuple[str, float | None]]) -> str:
    """The first teams of the live board as a table, and where the best of ours would stand among all."""
    rows = [{"team": team, "rank": rank, "score": score} for rank, (team, score) in enumerate(teams, 1)]
    best = _best(ledger.read())
    if best is None:
        ours = "none of ours is scored yet"
    else:
        score = best.public if pd.isna(best.private) else best.private
        rank = 1 + sum(other is not None and other > score for _, other in teams)
        ours = f"ours: {best.recipe} {best.ensemble}, {score:.5f}, would be number {rank} of {len(teams)}"
    return (plain(rows[:SHOWN]) if rows else "the board is empty\n") + ours + "\n"
