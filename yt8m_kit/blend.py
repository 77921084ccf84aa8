"""Blend weights that serve GAP@20 best on the validation split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.atomic import write_json
from yt8m_kit.errors import KitError
from yt8m_kit.evaluate import probabilities_of
from yt8m_kit.metrics import gap_at_20
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run

STEPS = (0.2, 0.1, 0.05, 0.02)  # shares moved between two members, coarse to fine


def ensemble(recipe: Recipe, name: str, data: Path, runs: Path) -> Path:
    """Write ensemble.json (weights by member, summing to 1, and validation GAP) and return its path."""
    blend, run = recipe.ensemble(name), Run.of(runs, recipe.name, name)
    if run.ensemble.exists():
        return run.ensemble
    for member in blend.members:
        member_run = Run.of(runs, recipe.name, member)
        member_run.need(member_run.averaged, "average")
    if len(blend.members) == 1:
        write_json(run.ensemble, {"weights": {blend.members[0]: 1.0}})
        return run.ensemble
    parts = [probabilities_of(recipe, member, data, runs) for member in blend.members]
    if any((ids != parts[0][0]).any() for ids, _, _ in parts):
        raise KitError(
            "members were evaluated on different videos; delete their validate.* files and evaluate."
        )
    probabilities, truth = [part[1] for part in parts], parts[0][2]
    weights = search(probabilities, truth) if blend.weights is None else np.array(blend.weights)
    weights = weights / weights.sum()
    singles = {m: round(gap_at_20(p, truth), 6) for m, p in zip(blend.members, probabilities)}
    write_json(
        run.ensemble,
        {
            "weights": {member: round(float(w), 6) for member, w in zip(blend.members, weights)},
            "searched": blend.weights is None,
            "validation_gap": gap_at_20(mix(probabilities, weights), truth),
            "member_gap": singles,
        },
    )
    return run.ensemble


def mix(
    probabilities_NC: Sequence[NDArray[np.float32]], weights: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float32]:
    """The weighted sum of the members' probabilities: float32 (N, C)."""
    total = np.zeros_like(probabilities_NC[0])
    for weight, member_NC in zip(weights, probabilities_NC):
        total += np.float32(weight) * member_NC
    return total


def search(
    probabilities_NC: Sequence[NDArray[np.float32]], truth_NC: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Weights (non-negative, summing to 1) that climb GAP@20 itself from equal shares.

    At each step size, shares move from one member to another as long as that raises GAP.
    """
    weights = np.full(len(probabilities_NC), 1 / len(probabilities_NC))
    best = gap_at_20(mix(probabilities_NC, weights), truth_NC)
    for step in STEPS:
        improved = True
        while improved:
            weights, gap = max(
                (
                    (moved, gap_at_20(mix(probabilities_NC, moved), truth_NC))
                    for moved in _moves(weights, step)
                ),
                key=lambda candidate: candidate[1],
            )
            improved, best = gap > best, max(gap, best)
    return weights


def _moves(weights: NDArray[np.float64], step: float) -> list[NDArray[np.float64]]:
    """The weights themselves, and those with up to `step` moved from one member to another."""
    moves = [weights]
    for giver in range(len(weights)):
        share = min(step, weights[giver])
        for taker in range(len(weights)):
            if taker != giver and share > 0:
                moved = weights.copy()
                moved[giver] -= share
                moved[taker] += share
                moves.append(moved)
    return moves
