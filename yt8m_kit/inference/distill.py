"""A teacher's soft labels for its students: predicted once, kept beside the records."""

from contextlib import closing
from pathlib import Path

import numpy as np

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.prefetch import prefetch
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.metrics import top as top_of
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_json
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run

BATCH = 128
KEEP = 100  # soft labels a video, or all classes where there are fewer


def distill(recipe: Recipe, teacher: str, data: Path, runs: Path, *, top: int | None = None) -> Path:
    """Write the top probabilities (None: KEEP) of the teacher's graph for every video of the train split.

    One side file a shard, those that are there are left alone; the settings_file comes last and is returned.
    Raises UsageError where the graph is not exported or labels with another `top` are there.
    """
    run = Run.of(runs, recipe.name, teacher)
    run.need(run.graph, "export")
    if top is None:
        top = min(KEEP, recipe.dataset.classes)
    if not 1 <= top <= min(recipe.dataset.classes, np.iinfo(np.uint16).max):
        raise UsageError(f"--top must lie between 1 and the {recipe.dataset.classes} classes; got {top}.")
    settings_file = run.soft_labels / soft_labels.SETTINGS
    paths = splits.find(data, "train")
    settings = {"top": top, "shards": [path.name for path in paths]}
    if settings_file.exists():
        if run.read(settings_file) != settings:
            raise UsageError(f"{run.soft_labels} holds other soft labels; delete it to write these.")
        return settings_file
    with run.alone():
        _write_shards(recipe, run, paths, top)
        write_json(settings_file, settings)
    return settings_file


def _write_shards(recipe: Recipe, run: Run, paths: list[Path], top: int) -> None:
    graph, faults = load_graph(run.graph, "serving_default"), Faults()
    with progress.bar(splits.count(paths), "distill") as bar:
        for path in paths:
            side = soft_labels.side_file(run.soft_labels, path)
            if side.exists():
                bar.update(splits.count([path]))
                continue
            batches = read_batches([path], recipe.dataset, BATCH, faults=faults, reuse=3)
            ids: list[str] = []
            labels, probabilities = [], []
            with closing(prefetch(batches, 1)) as ahead:
                for batch in ahead:
                    best, confidences = top_of(graph(batch)["probabilities"], top)
                    ids += batch.ids
                    labels.append(best)
                    probabilities.append(confidences)
                    bar.update(len(batch.ids))
            soft_labels.write(side, ids, np.concatenate(labels), np.concatenate(probabilities))
    if faults:
        progress.say(faults.summary())
