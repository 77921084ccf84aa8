"""The competition's CSV: how a row is written, and what a file must be before it is handed in."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.errors import KitError
from yt8m_kit.metrics import TOP

HEADER = "VideoId,LabelConfidencePairs"
CHUNK = 10_000  # rows looked at together


def rows(ids: list[str], labels_Nk: NDArray[np.int32], confidences_Nk: NDArray[np.float32]) -> Iterator[str]:
    """Lines `id,label confidence label confidence ...`, labels %i, confidences %g (model_families 13.4)."""
    line = "%s," + " ".join(["%i %g"] * labels_Nk.shape[1]) + "\n"
    for video, labels, confidences in zip(ids, labels_Nk.tolist(), confidences_Nk.tolist()):
        yield line % (video, *chain.from_iterable(zip(labels, confidences)))


def read(path: Path, classes: int) -> tuple[list[str], NDArray[np.int32], NDArray[np.float32]]:
    """ids, labels int32 (N, k) and confidences float32 (N, k) of a CSV; k is 20 or all classes if fewer.

    Raises KitError naming the line for: a wrong header, a row that does not hold k pairs, a label or
    confidence that is no number or out of range, confidences that rise, a label or an id given twice.
    """
    pairs = min(TOP, classes)
    ids: list[str] = []
    blocks = [np.empty((0, pairs, 2))]
    with path.open() as lines:
        if next(lines, "").rstrip("\n") != HEADER:
            raise KitError(f"{path}: line 1 must be {HEADER!r}.")
        while chunk := list(islice(lines, CHUNK)):
            first = len(ids) + 2
            videos, texts = zip(*(line.rstrip("\n").partition(",")[::2] for line in chunk))
            ids.extend(videos)
            blocks.append(_pairs(texts, pairs, path, first))
            _check_pairs(blocks[-1], classes, path, first)
    repeated = [video for video, count in Counter(ids).items() if count > 1]
    if repeated:
        raise KitError(f"{path}: video {repeated[0]!r} stands more than once.")
    values = np.concatenate(blocks)
    return ids, values[..., 0].astype(np.int32), values[..., 1].astype(np.float32)


def _pairs(texts: Sequence[str], pairs: int, path: Path, first: int) -> NDArray[np.float64]:
    for number, text in enumerate(texts, first):
        if text.count(" ") != 2 * pairs - 1:
            raise KitError(f"{path}: line {number} must hold an id and {pairs} pairs; got {text[:60]!r}.")
    try:
        return np.array(" ".join(texts).split(" "), np.float64).reshape(-1, pairs, 2)
    except ValueError as error:
        last = first + len(texts) - 1
        raise KitError(f"{path}: lines {first} to {last} must hold numbers: {error}.") from None


def _check_pairs(values_Nk2: NDArray[np.float64], classes: int, path: Path, first: int) -> None:
    labels, confidences = values_Nk2[..., 0], values_Nk2[..., 1]
    ordered = np.sort(labels, axis=1)
    faults = {
        f"labels must be whole numbers from 0 to {classes - 1}": (
            (labels != np.floor(labels)) | ~((labels >= 0) & (labels < classes))
        ),
        "a label stands twice": ordered[:, 1:] == ordered[:, :-1],
        "confidences must lie between 0 and 1": ~((confidences >= 0) & (confidences <= 1)),
        "confidences must not rise along the row": np.diff(confidences) > 0,
    }
    for fault, where in faults.items():
        if where.any():
            raise KitError(f"{path}: line {first + int(np.argmax(where.any(axis=1)))}: {fault}.")


def check(path: Path, classes: int, videos: int) -> None:
    """Raise KitError unless the CSV is well formed and has a row for each of `videos` videos."""
    ids, _, _ = read(path, classes)
    if len(ids) != videos:
        raise KitError(f"{path} has {len(ids)} rows; the split has {videos} videos.")
