"""Local leaderboard: scores of a CSV against held-out labels, in a public and a private half.

GAP@20, and for single-label data sets top-1 and top-5 accuracy and the mean of both errors.
"""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.metrics import gap, top_scores
from yt8m_kit.output.checksums import check_checksum
from yt8m_kit.output.provenance import now
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath
from yt8m_kit.submission.csv_reader import read


def submit_locally(experiment: Experiment, name: str, *, dry_run: bool = False, anew: bool = False) -> Path:
    """Score submission.csv against DATA/test_truth.csv and return the path of score.json.

    dry_run: only check both files and return the CSV's path. Raises UsageError for a missing file, KitError
    for a malformed one.
    """
    stages, classes = Stages(experiment), experiment.recipe.dataset.classes
    stage, predicted = stages.submit(name), stages.predict(name)
    with working(stage, anew=anew) as job:
        if job.is_done and not dry_run:
            return stage.main
        single_label = experiment.recipe.dataset.single_label
        truth = read_truth(experiment.data / "test_truth.csv", classes, single_label=single_label)
        board = score(*read(verified(predicted), classes), truth, single_label=single_label)
        if dry_run:
            return predicted.main
        about = {"date": now(), "sha256": predicted.identity()}
        job.figures = {"mean error": board["mean_error_all"]} if single_label else {}
        job.figures |= {"GAP@20": board["all"]}
        with job.writing() as temporary:
            temporary.write_text(json.dumps(about | board, indent=1) + "\n", encoding="utf-8")
    return stage.main


def read_truth(path: DataPath, classes: int, *, single_label: bool = False) -> dict[str, set[int]]:
    """Read the true labels of each video from a CSV `VideoId,Labels`, labels separated by spaces.

    Raises UsageError for a missing file, and KitError for a damaged or malformed one, a label out of range, a
    duplicate video, several labels of one in a single-label data set (each by line) or no label at all.
    """
    if not path.exists():
        raise UsageError(f"the local board needs the labels {path}; without them, use --to=kaggle.")
    check_checksum(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (ValueError, csv.Error) as error:
        raise KitError(f"cannot read {path}: {error}.") from None
    header = ",".join(lines[0]) if lines else ""
    if header != "VideoId,Labels":
        raise KitError(f"{path}: line 1 must be 'VideoId,Labels'; got {header!r}.")
    truth: dict[str, set[int]] = {}
    for number, cells in enumerate(lines[1:], 2):
        try:
            video, labels = _truth_row(cells, classes)
            if video in truth:
                raise ValueError(f"video {video!r} occurs a second time")
            if single_label and len(labels) > 1:
                raise ValueError(f"video {video!r} must have one label; got {len(labels)}")
        except ValueError as error:
            raise KitError(f"{path}: line {number}: {error}.") from None
        truth[video] = labels
    if not any(truth.values()):
        raise KitError(f"{path} has no labels, so that GAP@20 is not defined.")
    return truth


def _truth_row(cells: list[str], classes: int) -> tuple[str, set[int]]:
    """Parse a row into id and labels. Raises ValueError if it is malformed."""
    if len(cells) != 2 or not cells[0]:
        raise ValueError(f"must hold an id and labels; got {','.join(cells)[:60]!r}")
    try:
        labels = set(map(int, cells[1].split()))
    except ValueError as error:
        raise ValueError(f"labels must be whole numbers separated by spaces: {error}") from None
    if wrong := [label for label in labels if not 0 <= label < classes]:
        raise ValueError(f"labels must lie between 0 and {classes - 1}; got {wrong[0]}")
    return cells[0], labels


def score(
    ids: list[str],
    labels_Nk: NDArray[np.int32],
    confidences_Nk: NDArray[np.float32],
    truth: dict[str, set[int]],
    *,
    single_label: bool = False,
) -> dict[str, float]:
    """GAP@20 over all videos and over the public and private halves; a half without labels is omitted.

    single_label: also metrics.top_scores of each, as top1_HALF, top5_HALF and mean_error_HALF.

    labels_Nk int32, confidences_Nk float32: k predictions for each of N videos, best first. truth: labels by
    video. Raises KitError unless predictions and truth have the same videos.
    """
    missing, foreign = truth.keys() - set(ids), set(ids) - truth.keys()
    if missing or foreign:
        example = sorted(missing or foreign)[0]
        raise KitError(
            f"the submission and the truth have different videos: {len(missing)} of the truth are missing, "
            f"{len(foreign)} are unknown, e.g. {example!r}."
        )
    hits = np.array([[label in truth[video] for label in row] for video, row in zip(ids, labels_Nk.tolist())])
    positives = np.array([len(truth[video]) for video in ids])
    public = np.array([is_public(video) for video in ids])
    halves = {"all": np.ones(len(ids), bool), "public": public, "private": ~public}
    labelled = {half: chosen for half, chosen in halves.items() if positives[chosen].any()}
    board = {
        half: gap(confidences_Nk[chosen], hits[chosen], int(positives[chosen].sum()))
        for half, chosen in labelled.items()
    }
    for half, chosen in labelled.items() if single_label else ():
        found = top_scores(hits[chosen], int(np.count_nonzero(positives[chosen])))
        board |= {f"{name}_{half}": value for name, value in found.items()}
    return board


def is_public(video: str) -> bool:
    """Whether a video is in the public half, by the MD5 of its id."""
    return hashlib.md5(video.encode(), usedforsecurity=False).digest()[0] < 128
