"""GAP@20, Hit@1, PERR and mAP of a member's weights or of an exported graph, on a split with labels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.dataset import Dataset
from yt8m_kit.evaluation.validation import Predictions, predictions
from yt8m_kit.inference.member_model import counts, load_weights, model_of
from yt8m_kit.inference.predictor import load_graph, predictor
from yt8m_kit.metrics import scores
from yt8m_kit.output import progress
from yt8m_kit.output.files import replacing, write_json
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Experiment, Run


def evaluate(experiment: Experiment, name: str, *, split: str = "validate", strict: bool = False) -> Path:
    """Score a member's averaged weights, or an ensemble's graph, and return the file of scores.

    A member that was exported is scored both ways, so that what the codec costs can be seen. The
    probabilities of the float model are kept for the blend.
    """
    recipe, run = experiment.recipe, experiment.run(name)
    paths = splits.find(experiment.data, split)
    files = []
    if name in recipe.members:
        run.need(run.averaged, "average")
        files.append(_score_weights(recipe, name, run, paths, split, strict))
    if run.graph.exists() or name not in recipe.members:
        run.need(run.graph, "export")
        files.append(_score_graph(recipe.dataset, run, paths, split, strict))
    return files[-1]


def _score_weights(recipe: Recipe, name: str, run: Run, paths: list[Path], split: str, strict: bool) -> Path:
    out = run.evaluation(split, "weights")
    if out.exists() and run.probabilities(split).exists():
        return out
    member = recipe.member(name)
    model = load_weights(model_of(member, recipe.dataset), run.averaged)
    saved, trainable = counts(model)
    found = predictions(predictor(model), recipe.dataset, paths, f"evaluate {name}", strict)
    with replacing(run.probabilities(split)) as temporary, temporary.open("wb") as file:
        truth = np.packbits(found.truth, axis=1)
        np.savez(file, ids=np.array(found.ids), probabilities=found.probabilities, truth=truth)
    about = {"family": member.family, "parameters_saved": saved, "parameters_trainable": trainable}
    return _write_scores(out, found, about)


def _write_scores(out: Path, found: Predictions, about: dict[str, Any]) -> Path:
    figures = scores(found.probabilities, found.truth)
    progress.say("  ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    write_json(out, about | {"videos": len(found.ids), "videos_per_second": found.rate} | figures)
    return out


def _score_graph(dataset: Dataset, run: Run, paths: list[Path], split: str, strict: bool) -> Path:
    out = run.evaluation(split, "graph")
    if out.exists():
        return out
    graph = load_graph(run.graph, "serving_default")
    found = predictions(
        lambda batch: graph(batch)["probabilities"], dataset, paths, f"evaluate {run.path.name}", strict
    )
    return _write_scores(out, found, {})


def probabilities_of(
    experiment: Experiment, name: str, *, split: str = "validate"
) -> tuple[NDArray[np.str_], NDArray[np.float32], NDArray[np.bool_]]:
    """ids, probabilities (N, C) and truth (N, C) of a member on a split, evaluated where they are missing."""
    run = experiment.run(name)
    if not run.probabilities(split).exists():
        evaluate(experiment, name, split=split)
    with np.load(run.probabilities(split), allow_pickle=False) as kept:
        truth = np.unpackbits(kept["truth"], axis=1, count=experiment.recipe.dataset.classes).astype(bool)
        return kept["ids"], kept["probabilities"], truth
