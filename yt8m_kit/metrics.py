"""GAP@20, Hit@1, PERR, mAP, and top-k errors of single-label tasks, in numpy.

# N videos, C classes, k labels kept per video
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP = 20  # labels of a video that count
_ROWS = 256  # videos whose keys fit in the cache
_BLOCKS = 12  # of classes, for each label kept: about k + 1 classes reach the bound then
_FEW = 8  # times k classes are still sorted faster than all are partitioned
_KEYS = 1 << 15  # keys of pairs that fit in the cache

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def top(probabilities_NC: Floats, k: int = TOP) -> tuple[NDArray[np.int32], Floats]:
    """Labels int32 (N, k) and confidences float32 (N, k) of the k most probable classes, descending.

    Ties are ordered by label, so that the result does not depend on the batch. Few classes of a video are
    sorted: those that reach a bound, which k classes are known to reach.
    """
    videos, classes = probabilities_NC.shape
    k = min(k, classes)
    labels, confidences = np.empty((videos, k), np.int32), np.empty((videos, k), np.float32)
    for start in range(0, videos, _ROWS):
        rows = slice(start, start + _ROWS)
        part = probabilities_NC[rows]
        best = _best_of_few(part, k)
        if best is None:
            best = _best_of_all(part, k)
        labels[rows] = classes - 1 - (best[:, ::-1] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        confidences[rows] = np.take_along_axis(part, labels[rows], axis=1)
    return labels, confidences


def _best_of_few(probabilities_NC: Floats, k: int) -> NDArray[np.uint64] | None:
    """The k greatest keys of each video, ascending; None where few classes or many ties forbid a bound."""
    videos, classes = probabilities_NC.shape
    width = classes // (_BLOCKS * k)
    if width < 2:
        return None
    reached = ~(probabilities_NC < _bound(probabilities_NC, k, width)[:, None])  # of NaN as well
    counts_N = np.count_nonzero(reached, axis=1)
    most = int(counts_N.max())
    if counts_N.min() < k or most > _FEW * k:
        return None
    found = np.flatnonzero(reached)
    rows = np.repeat(np.arange(videos), counts_N)
    columns = np.arange(found.size) - np.repeat(np.cumsum(counts_N) - counts_N, counts_N)
    keys = np.zeros((videos, most), np.uint64)
    keys[rows, columns] = _ranked(probabilities_NC.ravel()[found], found - rows * classes, classes)
    return np.sort(keys, axis=1)[:, -k:]


def _best_of_all(probabilities_NC: Floats, k: int) -> NDArray[np.uint64]:
    """The k greatest keys of each video, ascending."""
    classes = probabilities_NC.shape[1]
    keys = _ranked(probabilities_NC, np.arange(classes), classes)
    return np.sort(np.partition(keys, classes - k, axis=1)[:, classes - k :], axis=1)


def _bound(probabilities_NC: Floats, k: int, width: int) -> Floats:
    """A confidence that at least k classes reach, float32 (N,): k-th greatest of the maxima of blocks."""
    videos, classes = probabilities_NC.shape
    blocks = classes // width
    maxima = probabilities_NC[:, : blocks * width].reshape(videos, width, blocks).max(axis=1)
    bound: Floats = np.partition(maxima, blocks - k, axis=1)[:, blocks - k]
    return bound


def _ranked(confidences: Floats, labels: NDArray[np.int64], classes: int) -> NDArray[np.uint64]:
    """Pack confidence and label into one integer, greater for a smaller label where confidences are equal."""
    return (_ordered(confidences).astype(np.uint64) << np.uint64(32)) | (classes - 1 - labels).astype(
        np.uint64
    )


def _ordered(values: Floats) -> NDArray[np.uint32]:
    """Map floats to unsigned integers of the same order."""
    bits = (np.asarray(values, np.float32) + np.float32(0)).view(np.int32)
    return (bits ^ ((bits >> 31) | np.int32(-(2**31)))).view(np.uint32)


def _scatter(index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash each index to 32 bits (splitmix64 finaliser), to order ties without bias; overwrites `index`."""
    index *= np.uint64(0x9E3779B97F4A7C15)
    index ^= index >> np.uint64(30)
    index *= np.uint64(0xBF58476D1CE4E5B9)
    index >>= np.uint64(32)
    return index


def _keys(confidences: Floats, hits: Bools) -> NDArray[np.uint64]:
    """Pack confidence, tie breaker and hit of each pair into one integer, in cache-sized blocks."""
    keys = np.empty(confidences.size, np.uint64)
    for start in range(0, keys.size, _KEYS):
        part = keys[start : start + _KEYS]
        part[:] = confidences[start : start + _KEYS].view(np.uint32)
        part <<= np.uint64(32)
        part |= _scatter(np.arange(start, start + part.size, dtype=np.uint64))
        part <<= np.uint64(1)
        part |= hits[start : start + _KEYS]
    return keys


def gap(confidences_Nk: Floats, hits_Nk: Bools, positives: int) -> float:
    """Global average precision (GAP) over the pooled top k predictions of all videos.

    confidences_Nk: float32, non-negative. hits_Nk: bool. positives: number of true labels of all videos,
    including those outside the top k. Ties are ordered by a hash of their index, which favours neither hits
    nor misses. Raises ValueError without positives. Sorts packed uint64 keys: confidence, tie breaker, hit.
    """
    if positives <= 0:
        raise ValueError(f"GAP needs at least one positive label; got {positives}.")
    keys = _keys(np.ascontiguousarray(confidences_Nk, np.float32).ravel(), hits_Nk.ravel())
    keys.sort()
    keys &= np.uint64(1)
    ranks = keys.size - np.flatnonzero(keys)[::-1]
    return float(np.sum(np.arange(1, ranks.size + 1) / ranks) / positives)


def hits_of(labels_Nk: NDArray[np.int32], truth_NC: NDArray[Any]) -> Bools:
    """Whether each kept label is true: bool (N, k)."""
    hits: Bools = np.take_along_axis(truth_NC, labels_Nk, axis=1) > 0
    return hits


def gap_at_20(probabilities_NC: Floats, truth_NC: NDArray[Any]) -> float:
    """GAP@20 of dense probabilities against multi-hot truth, both (N, C)."""
    labels, confidences = top(probabilities_NC)
    return gap(confidences, hits_of(labels, truth_NC), int(np.count_nonzero(truth_NC)))


def hit_at_1(probabilities_NC: Floats, truth_NC: NDArray[Any]) -> float:
    """Hit@1: share of videos whose most probable class is a true label."""
    best_N = np.argmax(probabilities_NC, axis=1)
    return float(np.mean(truth_NC[np.arange(best_N.size), best_N] > 0))


def perr(probabilities_NC: Floats, truth_NC: NDArray[Any]) -> float:
    """Precision at equal recall rate (PERR): precision of the top n of a video with n true labels.

    Mean over the videos with labels. Raises ValueError if there are none.
    """
    counts_N = np.count_nonzero(truth_NC, axis=1)
    if not counts_N.any():
        raise ValueError("PERR needs at least one positive label; got none.")
    labels, _ = top(probabilities_NC, int(counts_N.max()))
    within = np.arange(labels.shape[1]) < counts_N[:, None]
    found_N = np.count_nonzero(hits_of(labels, truth_NC) & within, axis=1)
    return float(np.mean(found_N[counts_N > 0] / counts_N[counts_N > 0]))


def average_precision(confidences_N: Floats, truth_N: NDArray[Any]) -> float:
    """Average precision of one class over all videos; equal confidences share a threshold."""
    order = np.argsort(-confidences_N, kind="stable")
    sorted_N, found_N = confidences_N[order], np.cumsum(truth_N[order] > 0)
    last = np.flatnonzero(np.append(np.diff(sorted_N) != 0, True))
    gained = np.diff(found_N[last], prepend=0)
    return float(np.sum(gained * found_N[last] / (last + 1)) / found_N[-1])


def mean_average_precision(probabilities_NC: Floats, truth_NC: NDArray[Any]) -> float:
    """Mean average precision (mAP) over the classes with at least one positive."""
    present = np.flatnonzero(np.count_nonzero(truth_NC, axis=0))
    return float(np.mean([average_precision(probabilities_NC[:, c], truth_NC[:, c]) for c in present]))


def top_scores(hits_Nk: Bools, labelled: int) -> dict[str, float]:
    """Scores of single-label predictions, over the labelled videos, whose number is given.

    hits_Nk: whether each prediction is the true label, the most confident first. "top1", "top5": accuracy,
    the share of videos whose label is the first prediction, or among the first five; "mean_error": the mean
    of both errors (1 - accuracy), by which the Kinetics tasks of ActivityNet ranked. Raises ValueError
    without a labelled video.
    """
    if labelled <= 0:
        raise ValueError(f"accuracy needs at least one labelled video; got {labelled}.")
    first, five = (int(np.count_nonzero(hits_Nk[:, :k].any(axis=1))) / labelled for k in (1, 5))
    return {"top1": first, "top5": five, "mean_error": 1 - (first + five) / 2}


def scores(
    probabilities_NC: Floats, truth_NC: NDArray[Any], *, single_label: bool = False
) -> dict[str, float]:
    """GAP@20, mAP, Hit@1 and PERR of dense probabilities (N, C) against multi-hot truth (N, C).

    single_label: top-1 and top-5 accuracy and the mean of both errors as well.
    """
    figures = {
        "gap": gap_at_20(probabilities_NC, truth_NC),
        "map": mean_average_precision(probabilities_NC, truth_NC),
        "hit1": hit_at_1(probabilities_NC, truth_NC),
        "perr": perr(probabilities_NC, truth_NC),
    }
    return figures | single_label_scores(probabilities_NC, truth_NC) if single_label else figures


def single_label_scores(probabilities_NC: Floats, truth_NC: NDArray[Any]) -> dict[str, float]:
    """top_scores of dense probabilities (N, C) against one-hot truth (N, C); rows of zeros have no label."""
    labels, _ = top(probabilities_NC, 5)
    return top_scores(hits_of(labels, truth_NC), int(np.count_nonzero(truth_NC.any(axis=1))))
