"""Streaming top-k segments per class.

Shapes: S segments, C classes, W predicted classes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.inference.sweep import Predict, sweep
from yt8m_kit.output import progress

TOP = 100_000  # segments per class that are evaluated
_BLOCK = 8192  # segments added to the ranking at a time


def rank(
    predict: Predict,
    batches: Iterator[Batch],
    classes: Sequence[int],
    what: str,
    best: int = TOP,
    faults: Faults | None = None,
) -> tuple[list[str], dict[int, NDArray[np.int32]]]:
    """Rank the segments: returns all ids, and per class the indices of its `best` in descending order.

    Ties keep the order of the segments. what: label of the progress bar, which shows the share of `faults`.
    """
    ranking = Ranking(len(classes), best)
    faults = Faults() if faults is None else faults
    ids: list[str] = []
    waiting: list[NDArray[np.float32]] = []
    with progress.bar(None, what, " segments") as bar:
        for batch, predicted in sweep(predict, batches, bar, faults):
            waiting.append(np.asarray(predicted)[:, classes])
            ids += batch.ids
            if len(ids) - ranking.seen >= _BLOCK:
                ranking.add(np.concatenate(waiting))
                waiting = []
    if waiting:
        ranking.add(np.concatenate(waiting))
    return ids, {label: ranking.of(row) for row, label in enumerate(classes)}


class Ranking:
    """Streaming top-k segments per class, with memory for 1.25 k segments.

    seen: number of segments added so far.
    """

    def __init__(self, classes: int, best: int):
        self._best = best
        room = best + max(best // 4, _BLOCK)
        self._scores = np.empty((classes, room), np.float32)  # pages that were never written take no memory
        self._numbers = np.empty((classes, room), np.int32)
        self._filled = [0] * classes
        self._least = np.full(classes, -np.inf, np.float32)  # scores up to this are not among the best
        self.seen = 0

    def add(self, scores_SW: NDArray[np.float32]) -> None:
        """Add the next segments, in order. scores: float32 (S, W)."""
        for first in range(0, len(scores_SW), _BLOCK):
            self._add(np.ascontiguousarray(scores_SW[first : first + _BLOCK].T))

    def _add(self, scores_WS: NDArray[np.float32]) -> None:
        for row, scores in enumerate(scores_WS):
            good = np.flatnonzero(scores > self._least[row])
            if self._filled[row] + len(good) > self._scores.shape[1]:
                self._prune(row)
            new = slice(self._filled[row], self._filled[row] + len(good))
            self._scores[row, new], self._numbers[row, new] = scores[good], good + self.seen
            self._filled[row] = new.stop
        self.seen += scores_WS.shape[1]

    def _prune(self, row: int) -> None:
        """Drop segments that are no longer among the best; keep the others in their order."""
        best = self._order(row)[: self._best]
        kept = np.sort(best)
        self._least[row] = self._scores[row, best[-1]]
        self._scores[row, : len(kept)] = self._scores[row, kept]
        self._numbers[row, : len(kept)] = self._numbers[row, kept]
        self._filled[row] = len(kept)

    def _order(self, row: int) -> NDArray[np.int64]:
        order: NDArray[np.int64] = np.argsort(-self._scores[row, : self._filled[row]], kind="stable")
        return order

    def of(self, row: int) -> NDArray[np.int32]:
        """Indices of the best segments of a class in descending order: int32, at most `best`."""
        numbers: NDArray[np.int32] = self._numbers[row, self._order(row)[: self._best]]
        return numbers
