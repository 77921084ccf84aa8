"""Score a member's weights or an exported graph: GAP@20, Hit@1, PERR and mAP, top-1 and top-5."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.evaluation.probabilities import read_probabilities
from yt8m_kit.evaluation.validation import Predictions, predictions
from yt8m_kit.inference.member_model import averaged_model, counts
from yt8m_kit.inference.predictor import load_graph, predictor
from yt8m_kit.machine.space import check_space
from yt8m_kit.metrics import scores
from yt8m_kit.output import progress
from yt8m_kit.output.files import replacing
from yt8m_kit.pipeline.job import Job, verified, working
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection
from yt8m_kit.run import Experiment


def evaluate(
    experiment: Experiment, name: str, *, split: str = "validate", strict: bool = False, anew: bool = False
) -> Path:
    """Score a member's averaged weights, or an ensemble's graph; return the path of the scores.

    An exported member's graph is scored too, which shows the loss due to the codec. The probabilities of the
    float model are kept for blending. strict: a bad record raises DataError instead of being skipped. Raises
    UsageError if there is nothing to score, or if existing scores are of other weights or shards.
    """
    stages = Stages(experiment)
    if name not in experiment.recipe.members:
        return _score_graph(stages, name, split, strict, anew)
    scores = _score_weights(stages, name, split, strict, anew)
    graph = Inspection(stages.graph_scores(name, split)).state(stages.export(name))
    if graph.kind == "stale":
        progress.say(f"its graph is stale and not scored: {graph.reasons[0]}")
    return _score_graph(stages, name, split, strict, anew) if graph.kind == "up to date" else scores


def _score_weights(stages: Stages, name: str, split: str, strict: bool, anew: bool) -> Path:
    stage, experiment = stages.weight_scores(name, split), stages.experiment
    with working(stage, anew=anew) as job:
        if job.is_done:
            return stage.main
        paths = paths_of(experiment, split)
        videos = splits.count(paths)
        size = 4 * videos * experiment.recipe.dataset.classes
        check_space(stage.run.path, size, f"probabilities of {videos:,} videos")
        model = averaged_model(experiment, name)
        saved, trainable = counts(model)
        found = predictions(predictor(model), experiment.recipe.dataset, paths, f"evaluate {name}", strict)
        with replacing(stage.run.probabilities(split)) as temporary, temporary.open("wb") as file:
            truth = np.packbits(found.truth, axis=1)
            np.savez(file, ids=np.array(found.ids), probabilities=found.probabilities, truth=truth)
        family = experiment.recipe.member(name).family
        about = {"family": family, "parameters_saved": saved, "parameters_trainable": trainable}
        _write_scores(job, found, about)
    return stage.main


def _score_graph(stages: Stages, name: str, split: str, strict: bool, anew: bool) -> Path:
    stage, dataset = stages.graph_scores(name, split), stages.recipe.dataset
    with working(stage, anew=anew) as job:
        if job.is_done:
            return stage.main
        paths = paths_of(stages.experiment, split)
        graph = load_graph(verified(stages.export(name)), "serving_default")
        found = predictions(
            lambda batch: graph(batch)["probabilities"], dataset, paths, f"evaluate {name}", strict
        )
        _write_scores(job, found, {})
    return stage.main


def _write_scores(job: Job, found: Predictions, about: dict[str, Any]) -> None:
    single_label = job.stage.experiment.recipe.dataset.single_label
    figures = scores(found.probabilities, found.truth, single_label=single_label)
    progress.say("  ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    error = {"mean error": figures["mean_error"]} if single_label else {}
    job.figures = error | {"GAP@20": figures["gap"], "mAP": figures["map"], "videos": len(found.ids)}
    with job.writing() as temporary:
        kept = about | {"videos": len(found.ids), "videos_per_second": found.rate} | figures
        temporary.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def probabilities_of(
    experiment: Experiment, name: str, *, split: str = "validate"
) -> tuple[NDArray[np.str_], NDArray[np.float32], NDArray[np.bool_]]:
    """Ids (N,), probabilities and truth (N, C) of a member on a split; evaluates it if they are missing."""
    stages = Stages(experiment)
    if not stages.weight_scores(name, split).main.exists():
        _score_weights(stages, name, split, strict=False, anew=False)
    return read_probabilities(stages, name, split)
