"""Choose the members of an ensemble and their weights by their score on the validation split.

The score is GAP@20, of single-label data sets the mean of top-1 and top-5 errors.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.ensembling.candidate_classes import Candidates, keep_top_classes
from yt8m_kit.ensembling.search import Blend, Search, held_out
from yt8m_kit.errors import KitError
from yt8m_kit.evaluation.evaluate import probabilities_of
from yt8m_kit.metrics import gap_at_20, single_label_scores
from yt8m_kit.output import progress
from yt8m_kit.output.facts import COLUMNS, Table, as_text
from yt8m_kit.pipeline.job import working
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.quantization.sizes import member_bytes
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Experiment

Probabilities = NDArray[np.float32]
Truth = NDArray[np.bool_]


def ensemble(experiment: Experiment, name: str, *, anew: bool = False) -> Path:
    """Write ensemble.json (weights by member, summing to 1, and their scores) and return its path.

    Weights given by the recipe are used unchanged. Otherwise members and weights are searched within the size
    limit of the ensemble's codec. The search is also scored on held-out videos: if it does not beat equal
    weights there, equal weights are used.
    """
    stage = Stages(experiment).ensemble(name)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            found = _blended(experiment, name)
            if "validation_gap" in found:
                error = {"mean error": found["mean_error"]} if "mean_error" in found else {}
                job.figures = error | {"GAP@20": found["validation_gap"], "members": len(shares_in(found))}
            with job.writing() as temporary:
                temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return stage.main


def shares_in(found: dict[str, Any]) -> list[str]:
    """Names of the members with a weight."""
    return [member for member, weight in found["weights"].items() if weight > 0]


def _blended(experiment: Experiment, name: str) -> dict[str, Any]:
    """Content of ensemble.json."""
    blend = experiment.recipe.ensemble(name)
    if len(blend.members) == 1:
        return {"weights": {blend.members[0]: 1.0}}
    read = [partial(probabilities_of, experiment, member) for member in blend.members]
    truth = _same_videos(read)
    members = [partial(_probabilities, each) for each in read]
    if blend.weights is None:
        weights, about = _searched(experiment.recipe, name, members, truth)
    else:
        weights, about = np.array(blend.weights, np.float64), {"searched": False}
    weights = weights / weights.sum()
    mixed = mix(members, weights)
    found = {
        "weights": {m: round(float(w), 6) for m, w in zip(blend.members, weights)},
        "validation_gap": gap_at_20(mixed, truth),
        "member_gap": {m: round(gap_at_20(r(), truth), 6) for m, r in zip(blend.members, members)},
    }
    if experiment.recipe.dataset.single_label:
        found |= single_label_scores(mixed, truth)
    return found | about


Read = Callable[[], tuple[NDArray[np.str_], Probabilities, Truth]]


def _probabilities(read: Read) -> Probabilities:
    return read()[1]


def _same_videos(read: Sequence[Read]) -> Truth:
    """Read the labels that all members were evaluated against; KitError if their videos differ."""
    ids, _, truth = read[0]()
    if any(not np.array_equal(ids, other()[0]) for other in read[1:]):
        raise KitError(
            "members were evaluated on different videos; run `yt8m evaluate` for each of them with --anew."
        )
    return truth


def mix(read: Sequence[Callable[[], Probabilities]], weights: NDArray[np.float64]) -> Probabilities:
    """Blend the members' probabilities, float32 (N, C), with one member in memory at a time."""
    total = None
    for member, weight in zip(read, weights):
        if weight > 0:
            part = member() * np.float32(weight)
            total = part if total is None else np.add(total, part, out=total)
    assert total is not None
    return total


def _searched(
    recipe: Recipe, name: str, members: Sequence[Callable[[], Probabilities]], truth: Truth
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Search the weights of an ensemble's members; return them and details of the search."""
    blend = recipe.ensemble(name)
    sizes, budget = member_bytes(recipe, blend), blend.limit
    candidates = keep_top_classes(members, truth, single_label=recipe.dataset.single_label)
    search = Search(candidates, sizes, budget).run()
    best = search.best()
    searched, equal = held_out(candidates, truth.sum(axis=1), sizes, budget)
    weights = best.weights if searched > equal else (best.weights > 0).astype(np.float64)
    about = {
        "searched": searched > equal,
        **_held_out(searched, equal, candidates.single_label),
        "codec": blend.codec,
        "bytes": best.size,
        "budget": budget,
        "certain": round(candidates.share_exact(weights), 6),
        "curve": [_point(point, blend.members, candidates) for point in search.curve()],
    }
    progress.say(report(about))
    return weights, about


def _held_out(searched: float, equal: float, single_label: bool) -> dict[str, dict[str, float]]:
    """GAP@20, or the mean error of single labels, on held-out videos."""
    if single_label:
        return {"held_out_error": {"searched": round(1 - searched, 6), "equal": round(1 - equal, 6)}}
    return {"held_out_gap": {"searched": round(searched, 6), "equal": round(equal, 6)}}


def _point(blend: Blend, names: Sequence[str], candidates: Candidates) -> dict[str, Any]:
    """A blend of the search: bytes, GAP@20 and weights; of single labels the mean error as well."""
    weights = {names[member]: round(float(blend.weights[member]), 4) for member in blend.members}
    if not candidates.single_label:
        return {"bytes": blend.size, "gap": round(blend.score, 6), "weights": weights}
    gap = round(candidates.gap(candidates.mix(blend.weights)), 6)
    return {"bytes": blend.size, "gap": gap, "mean_error": round(1 - blend.score, 6), "weights": weights}


def report(about: dict[str, Any]) -> str:
    """Format bytes and score of each blend, with its members below, and the scores on held-out videos."""
    single_label = "held_out_error" in about
    title, key = ("mean error", "mean_error") if single_label else ("GAP@20", "gap")
    rows = [
        {
            "bytes": point["bytes"],
            title: f"{point[key]:.5f}",
            "fits": "yes" if point["bytes"] <= about["budget"] else "no",
        }
        for point in about["curve"]
    ]
    members = [[" ".join(point["weights"])] for point in about["curve"]]
    columns = min(COLUMNS, shutil.get_terminal_size((COLUMNS, 0)).columns)
    held = about["held_out_error" if single_label else "held_out_gap"]
    kept = "searched" if about["searched"] else "equal"
    return (
        f"{as_text(Table(rows, notes=members), columns)}held-out videos: {title} {held['searched']:.5f} with "
        f"searched weights, {held['equal']:.5f} with equal ones; {kept} weights are kept."
    )
