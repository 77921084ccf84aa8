"""Predictions on a labelled split, and validation GAP@20.

# N videos, C classes
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.predictor import predictor
from yt8m_kit.inference.sweep import Predict, sweep_split
from yt8m_kit.metrics import gap, hits_of, top
from yt8m_kit.stores.path import DataPath


class Predictions(NamedTuple):
    """ids of N videos in file order, probabilities float32 (N, C), truth bool (N, C), videos per second."""

    ids: list[str]
    probabilities: NDArray[np.float32]
    truth: NDArray[np.bool_]
    rate: float


def predictions(
    predict: Predict, dataset: Dataset, paths: Sequence[DataPath], what: str, strict: bool
) -> Predictions:
    """Predict a labelled split. strict: a bad record raises DataError. Raises UsageError without labels."""
    ids: list[str] = []
    probabilities, truth = [], []
    started = time.perf_counter()
    for batch, predicted in sweep_split(predict, dataset, paths, what, strict=strict):
        ids += batch.ids
        probabilities.append(predicted)
        truth.append(batch.labels > 0)
    rate = round(len(ids) / (time.perf_counter() - started), 1)
    if not any(part.any() for part in truth):
        raise UsageError(f"{paths[0].parent} has no labels; evaluate a split that has them, e.g. validate.")
    return Predictions(ids, np.concatenate(probabilities), np.concatenate(truth), rate)


def validation_gap(model: keras.Model, dataset: Dataset, paths: Sequence[DataPath], what: str) -> float:
    """GAP@20 of a model on a labelled split; keeps only each video's top 20. UsageError without labels."""
    confidences, hits, positives = [], [], 0
    for batch, predicted in sweep_split(predictor(model), dataset, paths, what):
        labels, best = top(predicted)
        confidences.append(best)
        hits.append(hits_of(labels, batch.labels))
        positives += int(np.count_nonzero(batch.labels))
    if not positives:
        raise UsageError(f"{paths[0].parent} has no labels to validate on.")
    return gap(np.concatenate(confidences), np.concatenate(hits), positives)
