"""Pruned predictions: the classes of each video that can reach a blend's top 20.

The probabilities of 20 members for 20,000 videos and 3862 classes take 6 GiB, and GAP@20 of one blend takes
seconds. A class of low probability in every member has a low probability in every blend. So for each video
the classes most probable in the mean of the members are kept, then those most probable in any single member.
The weighted sum of the members' largest pruned probabilities bounds every pruned class of a blend, which
proves for each video whether its top 20 are exact.

Shapes: M members, N videos, C classes, P classes kept of a video.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.metrics import TOP, gap, top, top_scores

Floats = NDArray[np.float32]
Weights = NDArray[np.float64]
KEPT = 128  # classes kept of a video; exact for C up to this


@dataclass(frozen=True)
class Candidates:
    """Members' probabilities of the classes kept.

    members: float32 (M, N, P). hits: uint32 (N, P), 1 where the class is true. positives: number of true
    labels of all videos. outside: float32 (M, N), a member's largest probability of a pruned class.
    single_label: whether each video has one label at most.
    """

    members: Floats
    hits: NDArray[np.uint32]
    positives: int
    outside: Floats
    single_label: bool = False

    def rows(self, chosen: NDArray[np.bool_], positives: int) -> "Candidates":
        """Select the videos of the mask `chosen` (N,), which have `positives` true labels."""
        members, outside = self.members[:, chosen], self.outside[:, chosen]
        return replace(self, members=members, hits=self.hits[chosen], positives=positives, outside=outside)

    def mix(self, weights: Weights) -> Floats:
        """Blend the members, float32 (N, P); members of weight 0 are not read."""
        total = np.zeros(self.hits.shape, np.float32)
        for member in np.flatnonzero(weights):
            total += self.members[member] * np.float32(weights[member])
        return total

    def score(self, mixed_NP: Floats) -> float:
        """Compute what the search raises: GAP@20, of single labels 1 - the mean of top-1 and top-5 errors."""
        return 1 - self.mean_error(mixed_NP) if self.single_label else self.gap(mixed_NP)

    def mean_error(self, mixed_NP: Floats) -> float:
        """Compute the mean of a blend's top-1 and top-5 errors; a tie with the true class is an error."""
        own_N1 = np.max(mixed_NP * self.hits, axis=1, keepdims=True)
        ahead_N1 = np.count_nonzero(mixed_NP >= own_N1, axis=1, keepdims=True) - 1
        hits_N5 = (ahead_N1 == np.arange(5)) & self.hits.any(axis=1, keepdims=True)
        return top_scores(hits_N5, self.positives)["mean_error"]

    def gap(self, mixed_NP: Floats) -> float:
        """Compute GAP@20 of a blend, at any scale."""
        best = self._top(mixed_NP)
        return gap(
            (best >> np.uint32(1)).view(np.float32), (best & np.uint32(1)).astype(bool), self.positives
        )

    def share_exact(self, weights: Weights) -> float:
        """Share of the videos whose top 20 are provably those of all classes."""
        least_N = (self._top(self.mix(weights)).min(axis=1) >> np.uint32(1)).view(np.float32)
        return float(np.mean(least_N >= weights.astype(np.float32) @ self.outside))

    def _top(self, mixed_NP: Floats) -> NDArray[np.uint32]:
        """The 20 most probable of each video, in no order: bits of the probability, then the hit."""
        # Probabilities need no sign bit: with the hit they fit into 32 bits, which numpy partitions fast.
        keys = (mixed_NP.view(np.uint32) << np.uint32(1)) | self.hits
        first = max(keys.shape[1] - TOP, 0)
        return np.partition(keys, first, axis=1)[:, first:] if first else keys


def keep_top_classes(
    read: Sequence[Callable[[], Floats]],
    truth_NC: NDArray[np.bool_],
    kept: int = KEPT,
    *,
    single_label: bool = False,
) -> Candidates:
    """Prune members' probabilities float32 (N, C) to `kept` classes per video; reads each member twice."""
    largest, total = np.zeros(truth_NC.shape, np.float32), np.zeros(truth_NC.shape, np.float32)
    for member in read:
        probabilities = member()
        np.maximum(largest, probabilities, out=largest)
        total += probabilities
    labels = _chosen(largest, total, min(kept, truth_NC.shape[1]))
    members = np.empty((len(read), *labels.shape), np.float32)
    outside = np.empty((len(read), len(labels)), np.float32)
    for number, member in enumerate(read):
        probabilities = member().copy()
        members[number] = np.take_along_axis(probabilities, labels, axis=1)
        np.put_along_axis(probabilities, labels, 0, axis=1)
        outside[number] = probabilities.max(axis=1)
    hits = np.take_along_axis(truth_NC, labels, axis=1).astype(np.uint32)
    return Candidates(members, hits, int(np.count_nonzero(truth_NC)), outside, single_label)


def _chosen(largest: Floats, total: Floats, kept: int) -> NDArray[np.int32]:
    """Choose labels (N, P), half of them by the total; `largest` is overwritten."""
    likely, _ = top(total, kept // 2)
    np.put_along_axis(largest, likely, np.inf, axis=1)
    labels, _ = top(largest, kept)
    return labels
