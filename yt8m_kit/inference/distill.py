"""A teacher's soft labels for its students: predicted once, kept beside the records."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.inference.sweep import BATCH, REUSE, sweep
from yt8m_kit.metrics import top as top_of
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_json
from yt8m_kit.run import Experiment, Run

KEEP = 100  # soft labels a video, or all classes where there are fewer


def distill(experiment: Experiment, teacher: str, *, top: int | None = None) -> Path:
    """Write the top probabilities (None: KEEP) of the teacher's graph for every video of the train split.

    One side file a shard, those that are there are left alone; the manifest comes last and is returned.
    Raises UsageError where the graph is not exported or labels with another `top` are there.
    """
    run, dataset = experiment.run(teacher), experiment.recipe.dataset
    run.need(run.graph, "export")
    if top is None:
        top = min(KEEP, dataset.classes)
    if not 1 <= top <= min(dataset.classes, np.iinfo(np.uint16).max):
        raise UsageError(f"--top must lie between 1 and the {dataset.classes} classes; got {top}.")
    manifest = run.soft_labels / soft_labels.MANIFEST
    paths = splits.find(experiment.data, "train")
    settings = {"top": top, "shards": [path.name for path in paths]}
    if manifest.exists():
        if run.read(manifest) != settings:
            raise UsageError(f"{run.soft_labels} holds other soft labels; delete it to write these.")
        return manifest
    with run.alone():
        _write_shards(dataset, run, paths, top)
        write_json(manifest, settings)
    return manifest


def _write_shards(dataset: Dataset, run: Run, paths: list[Path], top: int) -> None:
    graph, faults = load_graph(run.graph, "serving_default"), Faults()
    with progress.bar(splits.count(paths), "distill") as bar:
        for path in paths:
            side = soft_labels.side_file(run.soft_labels, path)
            if side.exists():
                bar.update(splits.count([path]))
                continue
            batches = read_batches([path], dataset, BATCH, faults=faults, reuse=REUSE)
            soft_labels.write(side, *_labels_of(sweep(graph, batches, bar), top))
    if faults:
        progress.say(faults.summary())


def _labels_of(
    swept: Iterable[tuple[Batch, dict[str, NDArray[np.float32]]]], top: int
) -> tuple[list[str], NDArray[np.int32], NDArray[np.float32]]:
    """Ids of N videos, their `top` most probable classes and the probabilities, (N, top) each."""
    ids: list[str] = []
    labels, probabilities = [], []
    for batch, predicted in swept:
        best, confidences = top_of(predicted["probabilities"], top)
        ids += batch.ids
        labels.append(best)
        probabilities.append(confidences)
    return ids, np.concatenate(labels), np.concatenate(probabilities)
