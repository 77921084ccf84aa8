"""Distillation: write a teacher's soft labels, one file per shard of the train split."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.predictor import Graph, load_graph
from yt8m_kit.inference.sweep import BATCH, REUSE, sweep
from yt8m_kit.machine.space import check_space
from yt8m_kit.metrics import top as top_of
from yt8m_kit.output import progress
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment, Run
from yt8m_kit.stores.path import DataPath

KEEP = 100  # soft labels per video, or all classes if there are fewer


def distill(experiment: Experiment, teacher: str, *, top: int | None = None, anew: bool = False) -> Path:
    """Write the teacher's soft labels for the train split; return the path of their index.

    top: probabilities kept per video, those of the most probable classes (None: KEEP). Writes one side file
    per shard, then the index with the digest of each. An interrupted run resumes after the last complete
    side file. Raises UsageError if the graph is not exported, if `top` is out of range, or if existing soft
    labels are from another graph, other shards or another `top`.
    """
    classes, stages = experiment.recipe.dataset.classes, Stages(experiment)
    if top is None:
        top = min(KEEP, classes)
    if not 1 <= top <= min(classes, np.iinfo(np.uint16).max):
        raise UsageError(f"--top must lie between 1 and the {classes} classes; got {top}.")
    stage = stages.distill(teacher, top)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            paths = paths_of(experiment, "train")
            graph = load_graph(verified(stages.export(teacher)), "serving_default")
            _write_shards(graph, experiment.recipe.dataset, stage.run, paths, top)
            job.figures = {"labels a video": top, "shards": len(paths)}
            with job.writing() as temporary:
                soft_labels.write_index(temporary, stage.run.soft_labels, paths, top)
    return stage.main


def _write_shards(graph: Graph, dataset: Dataset, run: Run, paths: Sequence[DataPath], top: int) -> None:
    total = splits.count(paths)
    faults = Faults(dataset.max_skipped, total)
    todo = [path for path in paths if not soft_labels.side_file(run.soft_labels, path).exists()]
    videos = splits.count(todo)
    check_space(run.path, videos * top * soft_labels.BYTES, f"soft labels of {videos:,} videos")
    with progress.bar(total, "distill") as bar:
        for path in paths:
            side = soft_labels.side_file(run.soft_labels, path)
            if path not in todo:
                bar.update(splits.count([path]))
                continue
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
