"""Members' predictions on a split: how far they agree, and what each is worth to a blend.

Shapes: M members, N videos, C classes, P classes kept of a video.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.ensembling.candidate_classes import Candidates, keep_top_classes
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.evaluation.probabilities import read_probabilities
from yt8m_kit.metrics import TOP
from yt8m_kit.output import progress
from yt8m_kit.pipeline.job import read_or_warn
from yt8m_kit.pipeline.stages import Stages

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Predicted:
    """Predictions of the members that were evaluated on the same videos.

    ids: (N,). truth: bool (N, C). read: functions that return a member's probabilities, float32 (N, C).
    candidates: the classes that can reach a blend's top 20, members in the order of `read`.
    """

    ids: NDArray[np.str_]
    truth: NDArray[np.bool_]
    read: Mapping[str, Callable[[], Floats]]
    candidates: Candidates

    def mix(self, shares: Mapping[str, float]) -> Floats:
        """Blend members' probabilities, float32 (N, C), by shares that sum to 1."""
        total = np.zeros(self.truth.shape, np.float32)
        for name, share in shares.items():
            total += self.read[name]() * np.float32(share)
        return total


def predicted(stages: Stages, split: str) -> Predicted | None:
    """Read what evaluation has kept; None without any. Members of other videos are named and left out."""
    read: dict[str, Callable[[], Floats]] = {}
    ids, truth = np.empty(0, str), np.empty((0, 0), bool)
    for name in stages.recipe.members:
        try:
            found, _, labels = read_probabilities(stages, name, split)
        except UsageError:
            continue
        except KitError as error:
            progress.say(str(error))
            continue
        if read and not np.array_equal(found, ids):
            progress.say(f"{name} was evaluated on other videos than {next(iter(read))}: left out")
            continue
        ids, truth = found, labels
        read[name] = partial(_probabilities, stages.experiment.run(name).probabilities(split))
    return Predicted(ids, truth, read, keep_top_classes(list(read.values()), truth)) if read else None


def _probabilities(path: Path) -> Floats:
    """The array of a file that was verified before."""
    with np.load(path) as archive:
        kept: Floats = archive["probabilities"]
        return kept


def shares_of(stages: Stages, name: str) -> dict[str, float]:
    """Shares of an ensemble's members, those of share 0 left out; empty if they are not known."""
    weights = {name: 1.0} if name in stages.recipe.members else {}
    weights = weights or read_or_warn(stages.ensemble(name)).get("weights", {})
    total = sum(weights.values())
    return {member: weight / total for member, weight in weights.items() if weight > 0}


def agreement(found: Predicted) -> list[dict[str, Any]]:
    """Correlation of each two members' errors, probability minus truth, on the top 20 of their mean."""
    members, hits = found.candidates.members, found.candidates.hits
    first = max(hits.shape[1] - TOP, 0)
    best = np.argpartition(members.mean(axis=0), first, axis=1)[:, first:]
    errors = np.stack([_at(each, best) - _at(hits, best) for each in members])
    correlation = np.atleast_2d(np.corrcoef(errors.reshape(len(members), -1)))
    names = list(found.read)
    return [
        {"member": a, "other": b, "correlation": float(correlation[i, j])}
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    ]


def _at(values_NP: NDArray[Any], places_Nk: NDArray[np.intp]) -> Floats:
    return np.take_along_axis(values_NP, places_Nk, axis=1).astype(np.float32)


def left_out(stages: Stages, found: Predicted) -> list[dict[str, Any]]:
    """GAP@20 that each member of a blend adds: of the blend, less that of the other members' blend."""
    names, rows = list(found.read), []
    for ensemble in stages.recipe.ensembles:
        shares = shares_of(stages, ensemble)
        if len(shares) < 2 or not shares.keys() <= set(names):
            continue
        weights = np.array([shares.get(name, 0.0) for name in names])
        whole = found.candidates.gap(found.candidates.mix(weights))
        for member, share in shares.items():
            others = np.where(np.array(names) == member, 0, weights)
            cost = whole - found.candidates.gap(found.candidates.mix(others / others.sum()))
            rows.append({"ensemble": ensemble, "member": member, "share": share, "cost": cost})
    return rows
