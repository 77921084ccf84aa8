"""Distillation: write a teacher's soft labels, one file per shard of the train split."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.inference.sweep import BATCH, REUSE, sweep
from yt8m_kit.machine.space import check_space
from yt8m_kit.metrics import top as top_of
from yt8m_kit.output import progress
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.part import WHOLE, Part, claimed, working_on
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment

KEEP = 100  # soft labels per video, or all classes if there are fewer


def distill(experiment: Experiment, teacher: str, *, top: int | None = None, anew: bool = False) -> Path:
    """Write the teacher's soft labels for the train split; return the path of their index.

    top: probabilities kept per video, those of the most probable classes (None: KEEP). Writes one side file
    per shard, then the index with the digest of each. An interrupted run resumes after the last complete
    side file, and shards that distill_part has completed are kept. Raises UsageError if the graph is not
    exported, if `top` is out of range, or if existing soft labels are from another graph, other shards or
    another `top`.
    """
    top = _kept(experiment, top)
    stages = Stages(experiment)
    stage = stages.distill(teacher, top)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            paths = paths_of(experiment, "train")
            _write_shards(stages, stage, WHOLE, top)
            job.figures = {"labels a video": top, "shards": len(paths)}
            for leftover in stage.run.soft_labels.glob(".*"):
                leftover.unlink()
            with job.writing() as temporary:
                soft_labels.write_index(temporary, stage.run.soft_labels, paths, top)
    return stage.main


def distill_part(experiment: Experiment, teacher: str, part: Part, *, top: int | None = None) -> Path:
    """Write the soft labels of the shards of one part; return their folder; `distill` adds the index.

    Parts may run at the same time, on any number of machines. Raises what `distill` raises.
    """
    top = _kept(experiment, top)
    stages = Stages(experiment)
    stage = stages.distill(teacher, top)
    with working_on(stage, part) as is_missing:
        if is_missing:
            _write_shards(stages, stage, part, top)
    return stage.run.soft_labels


def _kept(experiment: Experiment, top: int | None) -> int:
    """Probabilities kept per video; UsageError if `top` is out of range."""
    classes = experiment.recipe.dataset.classes
    if top is None:
        return min(KEEP, classes)
    if not 1 <= top <= min(classes, np.iinfo(np.uint16).max):
        raise UsageError(f"--top must lie between 1 and the {classes} classes; got {top}.")
    return top


def _write_shards(stages: Stages, stage: Stage, part: Part, top: int) -> None:
    """Write the side files of those shards of a part that have none."""
    dataset, folder = stage.experiment.recipe.dataset, stage.run.soft_labels
    paths, graph = paths_of(stage.experiment, "train"), None
    faults, mine = Faults(dataset.max_skipped, splits.count(paths)), part.of(paths)
    videos = splits.count([path for path in mine if not soft_labels.side_file(folder, path).exists()])
    check_space(stage.run.path, videos * top * soft_labels.BYTES, f"soft labels of {videos:,} videos")
    with progress.bar(splits.count(mine), "distill") as bar:
        for path in mine:
            side = soft_labels.side_file(folder, path)
            with claimed(side):
                if side.exists():
                    bar.update(splits.count([path]))
                    continue
                graph = graph or load_graph(verified(stages.export(stage.words[2])), "serving_default")
                batches = read_batches([path], dataset, BATCH, faults=faults, reuse=REUSE)
                soft_labels.write(side, *_labels_of(sweep(graph, batches, bar, faults), top))
    if faults:
        progress.say(faults.summary())


def _labels_of(
    swept: Iterable[tuple[Batch, dict[str, NDArray[np.float32]]]], top: int
) -> tuple[list[str], NDArray[np.int32], NDArray[np.float32]]:
    """Ids of N videos, their `top` most probable classes int32 and probabilities float32, both (N, top)."""
    ids: list[str] = []
    labels, probabilities = [], []
    for batch, predicted in swept:
        best, confidences = top_of(predicted["probabilities"], top)
        ids += batch.ids
        labels.append(best)
        probabilities.append(confidences)
    return ids, np.concatenate(labels), np.concatenate(probabilities)
