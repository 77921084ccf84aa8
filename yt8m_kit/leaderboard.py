"""The local board: a submission's CSV against kept truth, in a public and a private half."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from yt8m_kit import recipe as recipes
from yt8m_kit.atomic import write_json, write_text
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.metrics import gap
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run
from yt8m_kit.submission_file import read
from yt8m_kit.table import markdown

LEDGER_COLUMNS = ["date", "recipe", "ensemble", "commit", "bytes", "sha256", "local", "public", "private"]


def submit_locally(recipe: Recipe, name: str, data: Path, runs: Path) -> Path:
    """Score submission.csv against DATA/test_truth.csv and write score.json beside it; return its path."""
    run = Run.of(runs, recipe.name, name)
    run.need(run.submission, "predict")
    truth = read_truth(data / "test_truth.csv", recipe.dataset.classes)
    ids, labels, confidences = read(run.submission, recipe.dataset.classes)
    board = score(ids, labels, confidences, truth)
    write_json(run.score, {"date": datetime.now(UTC).isoformat(timespec="seconds")} | board)
    return run.score


def read_truth(path: Path, classes: int) -> dict[str, set[int]]:
    """True labels by video of a CSV `VideoId,Labels`, labels separated by spaces."""
    if not path.exists():
        raise UsageError(
            f"the local board needs the kept truth {path}; submit --to=kaggle where there is none."
        )
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
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


def ledger() -> pd.DataFrame:
    """The record of real submissions, submissions/results.csv; empty where there is none."""
    path = recipes.folder() / "results.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=LEDGER_COLUMNS)


def leaderboard() -> Path:
    """Regenerate submissions/README.md: what each ensemble's authors reported beside what was submitted."""
    done = ledger()
    rows = []
    for name in recipes.names():
        recipe = recipes.load(name)
        for title, ensemble in recipe.ensembles.items():
            ours = done[(done.recipe == name) & (done.ensemble == title)]
            best = ours.sort_values("private").iloc[-1] if len(ours) else None
            rows.append(
                {
                    "recipe": name,
                    "ensemble": title,
                    "members": len(ensemble.members),
                    "codec": ensemble.codec,
                    "reported MiB": ensemble.published_mib,
                    "reported public": ensemble.published_public,
                    "reported private": ensemble.published_private,
                    "our public": None if best is None else best.public,
                    "our private": None if best is None else best.private,
                    "command": f"make submission RECIPE={name} ENSEMBLE={title}",
                }
            )
    path = recipes.folder() / "README.md"
    write_text(path, BOARD_HEAD + markdown(rows))
    return path


BOARD_HEAD = """# Submissions

One file a recipe: its members, its ensembles, what their authors reported. The table is written by
`make leaderboard` from the recipes and from results.csv, the record of real submissions; an empty cell
means not reported, or not submitted yet.

"""
