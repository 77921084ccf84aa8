"""Write the CSV of ranked segments and compute its MAP@100,000."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.errors import KitError
from yt8m_kit.segments.ranking import TOP
from yt8m_kit.segments.records import Ratings

HEADER = "Class,Segments"


def write_csv(path: Path, ids: Sequence[str], ranking: dict[int, NDArray[np.int32]]) -> None:
    """Write lines `class,id:start id:start ...` below the header Class,Segments."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{HEADER}\n")
        for label, numbers in ranking.items():
            file.write(f"{label},{' '.join(ids[number] for number in numbers.tolist())}\n")


def score(path: Path, ratings: Ratings, best: int = TOP) -> dict[str, Any]:
    """Compute the MAP@best of a CSV, as the starter's segment_eval_inference.py defines it.

    Per class: the average precision of the rated ones among its first `best` segments, normalized by all
    positive ratings of the class. The mean is over the classes of the CSV with a positive rating.
    Raises KitError for a file with another header, or if no class has a positive rating.
    """
    positives: dict[int, int] = {}
    for (_, label), true in ratings.items():
        positives[label] = positives.get(label, 0) + true
    precisions = []
    with path.open(encoding="utf-8") as lines:
        if next(lines, "").rstrip("\n") != HEADER:
            raise KitError(f"{path}: line 1 must be {HEADER!r}.")
        for line in lines:
            text, _, listed = line.rstrip("\n").partition(",")
            if positives.get(int(text)):
                hits = _rated(listed.split(" ")[:best], int(text), ratings)
                precisions.append(average_precision(hits, positives[int(text)]))
    if not precisions:
        raise KitError(f"{path}: none of its classes has a positive rating.")
    figures = {"map": float(np.mean(precisions)), "classes": len(precisions)}
    return figures | {"ratings": len(ratings), "positives": sum(positives.values())}


def _rated(listed: Sequence[str], label: int, ratings: Ratings) -> NDArray[np.bool_]:
    rated = (ratings.get((segment, label)) for segment in listed)
    return np.array([true for true in rated if true is not None], bool)


def average_precision(hits: NDArray[np.bool_], positives: int) -> float:
    """Sum of the precision at the rank of each hit, divided by the number of positives, found or not."""
    ranks = np.flatnonzero(hits) + 1
    return float(np.sum(np.arange(1, len(ranks) + 1) / ranks) / positives)
