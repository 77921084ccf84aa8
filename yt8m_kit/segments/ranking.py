"""Streaming top-k segments per class.

Shapes: S segments, C classes, W classes that are predicted.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.inference.sweep import Predict, sweep
from yt8m_kit.output import progress

TOP = 100_000  # segments of a class that count


_BLOCK = 8192  # segments sorted into the ranking at a time


def rank(
    predict: Predict, batches: Iterator[Batch], classes: Sequence[int], what: str, best: int = TOP
) -> tuple[list[str], dict[int, NDArray[np.int32]]]:
    """All segments' ids, and of each class the numbers of its `best`, descending; ties in their order."""
    ranking = Ranking(len(classes), best)
    ids: list[str] = []
    waiting: list[NDArray[np.float32]] = []
    with progress.bar(None, what, " segments") as bar:
        for batch, predicted in sweep(predict, batches, bar):
            waiting.append(np.asarray(predicted)[:, classes])
            ids += batch.ids
            if len(ids) - ranking.seen >= _BLOCK:
                ranking.add(np.concatenate(waiting))
                waiting = []
    if waiting:
        ranking.add(np.concatenate(waiting))
    return ids, {label: ranking.of(row) for row, label in enumerate(classes)}


class Ranking:
    """The best so many segments of each class, while they come by; memory for a quarter more than those."""

    def __init__(self, classes: int, best: int):
        self._best = best
        room = best + max(best // 4, _BLOCK)
        self._scores = np.empty((classes, room), np.float32)  # what is not filled takes no memory yet
        self._numbers = np.empty((classes, room), np.int32)
        self._filled = [0] * classes
        self._least = np.full(classes, -np.inf, np.float32)  # what scores no more is not among the best
        self.seen = 0

    def add(self, scores_SW: NDArray[np.float32]) -> None:
        """The next segments, in order."""
        for first in range(0, len(scores_SW), _BLOCK):
            self._add(np.ascontiguousarray(scores_SW[first : first + _BLOCK].T))

    def _add(self, scores_WS: NDArray[np.float32]) -> None:
        for row, scores in enumerate(scores_WS):
            good = np.flatnonzero(scores > self._least[row])
            if self._filled[row] + len(good) > self._scores.shape[1]:
                self._cut(row)
            new = slice(self._filled[row], self._filled[row] + len(good))
            self._scores[row, new], self._numbers[row, new] = scores[good], good + self.seen
            self._filled[row] = new.stop
        self.seen += scores_WS.shape[1]

    def _cut(self, row: int) -> None:
        """Drops what is no longer among the best; keeps the rest in the order of the segments."""
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
        """int32, at most `best`: the numbers of a class's segments, descending."""
        numbers: NDArray[np.int32] = self._numbers[row, self._order(row)[: self._best]]
        return numbers
