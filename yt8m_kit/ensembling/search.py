"""Search for the members and weights of the largest GAP@20 within a byte budget.

The objective is GAP@20 itself. The best blend tried for each subset of members is kept with its bytes, so
that one search gives the Pareto front of bytes against GAP. Greedy selection with replacement follows Caruana
et al. 2004, "Ensemble Selection from Libraries of Models".

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
    gap: float
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
        return max(within, key=lambda blend: (blend.gap, -blend.size))

    def curve(self) -> list[Blend]:
        """Pareto front of blends by size, at most POINTS of them."""
        front: list[Blend] = []
        for blend in sorted(self.found.values(), key=lambda blend: (blend.size, -blend.gap)):
            if not front or blend.gap > front[-1].gap:
                front.append(blend)
        stretches = np.array_split(np.arange(len(front)), min(POINTS, len(front)))
        return [front[stretch[-1]] for stretch in stretches]

    def _note(self, weights: Weights, gap: float) -> Blend:
        blend = Blend(weights / weights.sum(), gap, int(self.sizes[weights > 0].sum()))
        known = self.found.get(blend.members)
        if known is None or known.gap < gap:
            self.found[blend.members] = blend
        return blend

    def _changed(self, mixed: Floats, shifts: Shifts) -> Floats:
        """Return a blend's probabilities after changes of weights."""
        for member, shift in shifts.items():
            mixed = mixed + self.candidates.members[member] * np.float32(shift)
        return np.maximum(mixed, 0)

    def _gaps(self, mixed: Floats, options: Iterable[Shifts]) -> list[float]:
        """Compute GAP@20 after each of several changes."""
        # numpy releases the GIL while it adds and partitions.
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda shifts: self.candidates.gap(self._changed(mixed, shifts)), options))

    def _climb(self, weights: Weights) -> Blend:
        """Coordinate ascent: change one weight at a time while GAP@20 rises, by ever smaller factors."""
        mixed = self.candidates.mix(weights)
        gap = self.candidates.gap(mixed)
        for factors in FACTORS:
            for _ in range(SWEEPS):
                before = gap
                for member in np.flatnonzero(weights):
                    weights, mixed, gap = self._turn(int(member), factors, weights, mixed, gap)
                if gap <= before:
                    break
        return self._note(weights, gap)

    def _turn(
        self, member: int, factors: tuple[float, ...], weights: Weights, mixed: Floats, gap: float
    ) -> tuple[Weights, Floats, float]:
        """Multiply one member's weight by the best factor, if any raises GAP@20."""
        if np.count_nonzero(weights) == 1:
            return weights, mixed, gap
        options: list[Shifts] = [{member: weights[member] * (factor - 1)} for factor in factors]
        gaps = self._gaps(mixed, options)
        best = int(np.argmax(gaps))
        if gaps[best] <= gap:
            return weights, mixed, gap
        changed = weights.copy()
        changed[member] *= factors[best]
        return changed, self._changed(mixed, options[best]), gaps[best]

    def _subsets(self) -> None:
        """Climb from equal weights of every subset."""
        places = range(len(self.sizes))
        for count in range(1, len(places) + 1):
            for chosen in combinations(places, count):
                weights = np.zeros(len(places))
                weights[list(chosen)] = 1 / count
                self._climb(weights)

    def _forward(self, budget: int, worth: Callable[[float, int], float]) -> None:
        """Greedy with replacement: repeatedly add the member of most worth (GAP gained, bytes added)."""
        counts = np.zeros(len(self.sizes))
        mixed, gap = self.candidates.mix(counts), 0.0
        for _ in range(ROUNDS):
            added = np.where(counts > 0, 0, self.sizes)
            allowed = np.flatnonzero(added <= budget - self.sizes[counts > 0].sum())
            if not len(allowed):
                return
            gaps = self._gaps(mixed, [{int(member): 1.0} for member in allowed])
            best = max(range(len(allowed)), key=lambda i: worth(gaps[i] - gap, int(added[allowed[i]])))
            counts[allowed[best]] += 1
            mixed, gap = mixed + self.candidates.members[allowed[best]], gaps[best]
            self._note(counts, gap)

    def _backward(self, blend: Blend) -> None:
        """Repeatedly drop the member that costs the least GAP per byte."""
        while len(blend.members) > 1:
            mixed = self.candidates.mix(blend.weights)
            gaps = self._gaps(mixed, [{member: -blend.weights[member]} for member in blend.members])
            costs = [(blend.gap - gap) / self.sizes[m] for gap, m in zip(gaps, blend.members)]
            rest = blend.weights.copy()
            rest[blend.members[int(np.argmin(costs))]] = 0.0
            blend = self._climb(rest)

    def _swap(self, blend: Blend) -> None:
        """Swap members within the budget while that raises GAP@20."""
        while True:
            swaps = [
                (within, int(other))
                for within in blend.members
                for other in np.flatnonzero(blend.weights == 0)
                if blend.size - self.sizes[within] + self.sizes[other] <= self.budget
            ]
            weights = blend.weights.copy()
            options = [{within: -weights[within], other: weights[within]} for within, other in swaps]
            gaps = self._gaps(self.candidates.mix(weights), options)
            if not gaps or max(gaps) <= blend.gap:
                return
            within, other = swaps[int(np.argmax(gaps))]
            weights[other], weights[within] = weights[within], 0.0
            blend = self._climb(weights)


def held_out(
    candidates: Candidates, positives: np.ndarray, sizes: Sequence[int], budget: int, seed: int = 0
) -> tuple[float, float]:
    """Compute GAP@20 of searched and of equal weights on held-out videos.

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
    gaps = []
    for fold, other in (parts, parts[::-1]):
        weights = Search(fold, sizes, budget).run().best().weights
        gaps.append([other.gap(other.mix(w)) for w in (weights, (weights > 0).astype(float))])
    searched, equal = np.mean(gaps, axis=0)
    return float(searched), float(equal)
