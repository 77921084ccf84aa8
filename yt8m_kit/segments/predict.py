"""The task of 2019: for each class the segments of five frames that show it, best first; MAP@100,000."""

# S segments, C classes, W classes that are predicted

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit import progress
from yt8m_kit.atomic import replacing, write_json
from yt8m_kit.data import records, segments, vocabulary
from yt8m_kit.data.segments import Ratings
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.predict import load_graph
from yt8m_kit.rebuild import load_weights, model_of, predictor
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run
from yt8m_kit.validation import BATCH, Predict

HEADER = "Class,Segments"
TOP = 100_000  # segments of a class that count
_BLOCK = 8192  # segments sorted into the ranking at a time


def predict_segments(
    recipe: Recipe, name: str, data: Path, runs: Path, *, split: str = "validate", strict: bool = False
) -> Path:
    """Write segments.SPLIT.csv, the best 100,000 segments of each class, and score it where they are rated.

    Classes are those of DATA/vocabulary.csv, else the rated ones. Takes the exported graph, else a member's
    averaged weights. Returns the file of scores, or the CSV where nothing is rated.
    """
    run = Run.of(runs, recipe.name, name)
    out, scores = run.path / f"segments.{split}.csv", run.evaluation(split, "segments")
    if scores.exists():
        return scores
    paths = records.find(data, split)
    faults = records.Faults()
    ratings = segments.read_ratings(paths, recipe.dataset, faults, strict=strict)
    classes = _classes(data, ratings, recipe.dataset.classes)
    if not out.exists():
        predict = _predictor(recipe, name, run)
        found = segments.batches(paths, recipe.dataset, BATCH, strict=strict, faults=faults)
        with closing(found):  # type: ignore[type-var]
            ids, ranking = rank(predict, found, classes, f"segments {name}")
        write_csv(out, ids, ranking)
    if faults:
        progress.say(faults.summary())
    if not ratings:
        return out
    write_json(scores, score(out, ratings))
    progress.say(f"MAP@{TOP:,} {Run.read(scores)['map']:.4f}")
    return scores


def _classes(data: Path, ratings: Ratings, classes: int) -> list[int]:
    """The classes to predict, ascending."""
    path = data / vocabulary.FILE
    chosen = sorted(vocabulary.read(path)) if path.exists() else sorted({label for _, label in ratings})
    if not chosen:
        raise UsageError(
            f"no segment of it is rated: which classes? `yt8m download vocabulary --version=3 --data={data}` "
            "fetches those of 2019."
        )
    if chosen[-1] >= classes:
        raise KitError(f"{path} has class {chosen[-1]}; the data set has {classes} classes.")
    return chosen


def _predictor(recipe: Recipe, name: str, run: Run) -> Predict:
    if name in recipe.members and not run.graph.exists():
        run.need(run.averaged, "average")
        return predictor(load_weights(model_of(recipe.member(name), recipe.dataset), run.averaged))
    graph = load_graph(run.need(run.graph, "export"), "serving_default")
    return lambda batch: graph(batch)["probabilities"]


def rank(
    predict: Predict, batches: Iterator[records.Batch], classes: Sequence[int], what: str, best: int = TOP
) -> tuple[list[str], dict[int, NDArray[np.int32]]]:
    """All segments' ids, and of each class the numbers of its `best`, descending; ties in their order."""
    ranking = Ranking(len(classes), best)
    ids: list[str] = []
    waiting: list[NDArray[np.float32]] = []
    with progress.bar(None, what, " segments") as bar:
        for batch in batches:
            waiting.append(np.asarray(predict(batch))[:, classes])
            ids += batch.ids
            bar.update(len(batch.ids))
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


def write_csv(path: Path, ids: Sequence[str], ranking: dict[int, NDArray[np.int32]]) -> None:
    """Lines `class,id:start id:start ...` below the heading Class,Segments."""
    with replacing(path) as temporary, temporary.open("w") as file:
        file.write(f"{HEADER}\n")
        for label, numbers in ranking.items():
            file.write(f"{label},{' '.join(ids[number] for number in numbers.tolist())}\n")


def score(path: Path, ratings: Ratings, best: int = TOP) -> dict[str, Any]:
    """MAP@best of a CSV, as the starter's segment_eval_inference.py defines it.

    Of each class the first `best` segments; of those the rated ones, in their order; their average precision,
    over all positive ratings of the class. The mean over the classes of the CSV that have one.
    Raises KitError for a CSV that is none, or of which no class has a positive rating.
    """
    positives: dict[int, int] = {}
    for (_, label), true in ratings.items():
        positives[label] = positives.get(label, 0) + true
    precisions = []
    with path.open() as lines:
        if next(lines, "").rstrip("\n") != HEADER:
            raise KitError(f"{path}: line 1 must be {HEADER!r}.")
        for line in lines:
            text, _, listed = line.rstrip("\n").partition(",")
            if positives.get(int(text)):
                hits = _rated(listed.split(" ")[:best], int(text), ratings)
                precisions.append(average_precision(hits, positives[int(text)]))
    if not precisions:
        raise KitError(f"{path}: no class of it has a positive rating.")
    figures = {"map": float(np.mean(precisions)), "classes": len(precisions)}
    return figures | {"ratings": len(ratings), "positives": sum(positives.values())}


def _rated(listed: Sequence[str], label: int, ratings: Ratings) -> NDArray[np.bool_]:
    rated = (ratings.get((segment, label)) for segment in listed)
    return np.array([true for true in rated if true is not None], bool)


def average_precision(hits: NDArray[np.bool_], positives: int) -> float:
    """Sum over the hits of the precision at their rank, over all positives, found or not."""
    ranks = np.flatnonzero(hits) + 1
    return float(np.sum(np.arange(1, len(ranks) + 1) / ranks) / positives)
