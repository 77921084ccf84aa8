"""Search for the members and weights of the best score within a byte budget.

The score is GAP@20 itself, or 1 - the mean error of single labels (Candidates.score). The best blend tried
for each subset of members is kept with its bytes, so that one search gives the Pareto front of bytes against
the score. Greedy selection with replacement follows Caruana et al. 2004, "Ensemble Selection from Libraries
of Models".

Shapes: M members, N videos, P classes kept of a video.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import NamedTuple

import numpy as np

from yt8m_kit.ensembling.candidate_classes import Candidates, Floats, Weights
from yt8m_kit.errors import UsageError

EXACT = 6  # up to this number of members every subset is searched
ROUNDS = 30  # additions of a greedy selection, with replacement
# Factors by which one member's weight is changed, coarse to fine; 0 drops it.
FACTORS = ((0.0, 0.5, 2.0), (0.8, 1.25), (0.93, 1.07))
SWEEPS = 10  # passes over the members at each coarseness, at most
POINTS = 20  # points of the Pareto front, at most
THREADS = 2

Shifts = dict[int, float]  # changes of weights, by member


class Blend(NamedTuple):
    """A blend: weights (M,) summing to 1, 0 for members left out; size: bytes of members with a weight."""

    weights: Weights
    score: float
    size: int

    @property
    def members(self) -> tuple[int, ...]:
        """Indices of the members with a weight."""
        return tuple(int(place) for place in np.flatnonzero(self.weights))


class Search:
    """A search; `found` holds the best blend tried for each subset of members."""

    def __init__(self, candidates: Candidates, sizes: Sequence[int], budget: int):
        self.candidates, self.sizes, self.budget = candidates, np.array(sizes), budget
        self.found: dict[tuple[int, ...], Blend] = {}

    def run(self) -> "Search":
        """Try every subset of few members; otherwise select greedily and tune the Pareto front."""
        everything = np.full(len(self.sizes), 1 / len(self.sizes))
        if len(self.sizes) <= EXACT:
            self._subsets()
            return self
        everything_fits = int(self.sizes.sum())
        for budget in {min(self.budget, everything_fits), everything_fits}:
            self._forward(budget, lambda gained, added: gained)
            self._forward(budget, lambda gained, added: gained / max(added, 1))
        self._backward(self._climb(everything))
        for blend in [*self.curve(), self.best()]:
            self._climb(blend.weights)
        self._swap(self.best())
        return self

    def best(self) -> Blend:
        """Return the best blend within the budget, the smaller of equals. Raises UsageError if none fits."""
        within = [blend for blend in self.found.values() if blend.size <= self.budget]
        if not within:
            raise UsageError(
                f"no member fits into {self.budget:,} bytes: the smallest takes {self.sizes.min():,}. Use a "
                "smaller codec."
            )
        return max(within, key=lambda blend: (blend.score, -blend.size))

    def curve(self) -> list[Blend]:
        """Pareto front of blends by size, at most POINTS of them."""
        front: list[Blend] = []
        for blend in sorted(self.found.values(), key=lambda blend: (blend.size, -blend.score)):
            if not front or blend.score > front[-1].score:
                front.append(blend)
        stretches = np.array_split(np.arange(len(front)), min(POINTS, len(front)))
        return [front[stretch[-1]] for stretch in stretches]

    def _note(self, weights: Weights, score: float) -> Blend:
        blend = Blend(weights / weights.sum(), score, int(self.sizes[weights > 0].sum()))
        known = self.found.get(blend.members)
        if known is None or known.score < score:
            self.found[blend.members] = blend
        return blend

    def _changed(self, mixed: Floats, shifts: Shifts) -> Floats:
        """Return a blend's probabilities after changes of weights."""
        for member, shift in shifts.items():
            mixed = mixed + self.candidates.members[member] * np.float32(shift)
        return np.maximum(mixed, 0)

    def _scores(self, mixed: Floats, options: Iterable[Shifts]) -> list[float]:
        """Compute the score after each of several changes."""
        # numpy releases the GIL while it adds and partitions.
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda shifts: self.candidates.score(self._changed(mixed, shifts)), options))

    def _climb(self, weights: Weights) -> Blend:
        """Coordinate ascent: change one weight at a time while the score rises, by ever smaller factors."""
        mixed = self.candidates.mix(weights)
        score = self.candidates.score(mixed)
        for factors in FACTORS:
            for _ in range(SWEEPS):
                before = score
                for member in np.flatnonzero(weights):
                    weights, mixed, score = self._turn(int(member), factors, weights, mixed, score)
                if score <= before:
                    break
        return self._note(weights, score)

    def _turn(
        self, member: int, factors: tuple[float, ...], weights: Weights, mixed: Floats, score: float
    ) -> tuple[Weights, Floats, float]:
        """Multiply one member's weight by the best factor, if any raises the score."""
        if np.count_nonzero(weights) == 1:
            return weights, mixed, score
        options: list[Shifts] = [{member: weights[member] * (factor - 1)} for factor in factors]
        scores = self._scores(mixed, options)
        best = int(np.argmax(scores))
        if scores[best] <= score:
            return weights, mixed, score
        changed = weights.copy()
        changed[member] *= factors[best]
        return changed, self._changed(mixed, options[best]), scores[best]

    def _subsets(self) -> None:
        """Climb from equal weights of every subset."""
        places = range(len(self.sizes))
        for count in range(1, len(places) + 1):
            for chosen in combinations(places, count):
                weights = np.zeros(len(places))
                weights[list(chosen)] = 1 / count
                self._climb(weights)

    def _forward(self, budget: int, worth: Callable[[float, int], float]) -> None:
        """Greedy with replacement: repeatedly add the member of most worth (score gained, bytes added)."""
        counts = np.zeros(len(self.sizes))
        mixed, score = self.candidates.mix(counts), 0.0
        for _ in range(ROUNDS):
            added = np.where(counts > 0, 0, self.sizes)
            allowed = np.flatnonzero(added <= budget - self.sizes[counts > 0].sum())
            if not len(allowed):
                return
            scores = self._scores(mixed, [{int(member): 1.0} for member in allowed])
            best = max(range(len(allowed)), key=lambda i: worth(scores[i] - score, int(added[allowed[i]])))
            counts[allowed[best]] += 1
            mixed, score = mixed + self.candidates.members[allowed[best]], scores[best]
            self._note(counts, score)

    def _backward(self, blend: Blend) -> None:
        """Repeatedly drop the member that costs the least score per byte."""
        while len(blend.members) > 1:
            mixed = self.candidates.mix(blend.weights)
            scores = self._scores(mixed, [{member: -blend.weights[member]} for member in blend.members])
            costs = [(blend.score - score) / self.sizes[m] for score, m in zip(scores, blend.members)]
            rest = blend.weights.copy()
            rest[blend.members[int(np.argmin(costs))]] = 0.0
            blend = self._climb(rest)

    def _swap(self, blend: Blend) -> None:
        """Swap members within the budget while that raises the score."""
        while True:
            swaps = [
                (within, int(other))
                for within in blend.members
                for other in np.flatnonzero(blend.weights == 0)
                if blend.size - self.sizes[within] + self.sizes[other] <= self.budget
            ]
            weights = blend.weights.copy()
            options = [{within: -weights[within], other: weights[within]} for within, other in swaps]
            scores = self._scores(self.candidates.mix(weights), options)
            if not scores or max(scores) <= blend.score:
                return
            within, other = swaps[int(np.argmax(scores))]
            weights[other], weights[within] = weights[within], 0.0
            blend = self._climb(weights)


def held_out(
    candidates: Candidates, positives: np.ndarray, sizes: Sequence[int], budget: int, seed: int = 0
) -> tuple[float, float]:
    """Compute the score of searched and of equal weights on held-out videos.

    Two-fold cross-validation: members and weights are searched on one half of the videos and scored on the
    other; equal weights are of the members searched. positives (N,): number of true labels of each video.
    Raises UsageError if one half has no label.
    """
    half = np.random.default_rng(seed).permutation(len(positives)) % 2 == 0
    parts = [candidates.rows(chosen, int(positives[chosen].sum())) for chosen in (half, ~half)]
    if not all(part.positives for part in parts):
        raise UsageError(
            f"the validate split is too small to search weights: one half of its {len(positives):,} videos "
            "has no label. Use more videos, or give the weights in the recipe."
        )
    scores = []
    for fold, other in (parts, parts[::-1]):
        weights = Search(fold, sizes, budget).run().best().weights
        scores.append([other.score(other.mix(w)) for w in (weights, (weights > 0).astype(float))])
    searched, equal = np.mean(scores, axis=0)
    return float(searched), float(equal)
