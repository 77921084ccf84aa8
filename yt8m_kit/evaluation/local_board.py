"""The local board: a CSV scored against kept truth, in a public and a private half."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.metrics import gap
from yt8m_kit.output.provenance import now
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment
from yt8m_kit.submission.csv_reader import read


def submit_locally(experiment: Experiment, name: str, *, dry_run: bool = False, anew: bool = False) -> Path:
    """Score submission.csv against DATA/test_truth.csv and write score.json; return its path.

    dry_run: only check both files, and return the CSV's path.
    """
    stages, classes = Stages(experiment), experiment.recipe.dataset.classes
    stage, csv = stages.submit(name), stages.predict(name)
    with working(stage, anew=anew) as job:
        if job.is_done and not dry_run:
            return stage.main
        truth = read_truth(experiment.data / "test_truth.csv", classes)
        board = score(*read(verified(csv), classes), truth)
        if dry_run:
            return csv.main
        about = {"date": now(), "sha256": csv.identity()}
        job.figures = {"GAP@20": board["all"]}
        with job.writing() as temporary:
            temporary.write_text(json.dumps(about | board, indent=1) + "\n", encoding="utf-8")
    return stage.main


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
