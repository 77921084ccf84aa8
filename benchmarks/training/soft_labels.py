"""What it costs to keep only a teacher's top k probabilities of each video.

    python -m benchmarks.training.soft_labels [--recipe techniques] [--name teacher_0] [--data FOLDER]
        [--runs runs] [--videos 20000] [--student MEMBER [--seeds 3]] [--write]

Of an exported graph, on videos of the train split. "mass kept": of all its probabilities. A student's target
is half the soft labels and half the truth: "target off by" is what it differs by from the target of all
probabilities, summed over classes, and "loss left" the cross entropy on that one which a student that fits
the truncated target exactly still has to lose. Bytes are those of the side files as written, seconds those
of choosing and writing. --student also trains that member on each, from as many seeds.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import (
    docs_tables,
    quiet,  # noqa: F401
)
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.data.reading.soft_labels import ShardLabels
from yt8m_kit.evaluation.evaluate import evaluate
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.metrics import top
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.pipeline.job import adopt
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Recipe, load
from yt8m_kit.run import Experiment, Run
from yt8m_kit.training.average import average
from yt8m_kit.training.train import train

KEPT = (5, 10, 20, 50, 100, 200)  # and all
WEIGHT = 0.5  # of the soft labels in the target
EPSILON = 1e-5  # of the label loss
STUDENT = "student_of_top"

Floats = NDArray[np.float32]


class Taught(NamedTuple):
    """A shard's videos: ids, the teacher's probabilities and the truth, (N, C)."""

    path: Path
    ids: list[str]
    probabilities: Floats
    truth: Floats


def taught(recipe: Recipe, graph: Path, paths: list[Path], videos: int) -> Iterator[Taught]:
    """What the teacher says of whole shards, until there are so many videos."""
    call, seen = load_graph(graph, "serving_default"), 0
    for path in paths:
        if seen < videos:
            batches = list(read_batches([path], recipe.dataset, 128))
            probabilities = np.concatenate([call(batch)["probabilities"] for batch in batches])
            ids = [video for batch in batches for video in batch.ids]
            yield Taught(path, ids, probabilities, np.concatenate([batch.labels for batch in batches]))
            seen += len(ids)


def cost(shards: list[Taught], kept: int, folder: Path) -> Row:
    """Writes the side files of the top `kept` and compares what can be read back with everything."""
    began = time.perf_counter()
    for shard in shards:
        soft_labels.write(
            soft_labels.side_file(folder, shard.path), shard.ids, *top(shard.probabilities, kept)
        )
    seconds = time.perf_counter() - began
    size = sum(soft_labels.side_file(folder, shard.path).stat().st_size for shard in shards)
    videos = sum(len(shard.ids) for shard in shards)
    mass = whole_mass = off = left = 0.0
    for shard in shards:
        side = ShardLabels(soft_labels.side_file(folder, shard.path))
        target, alone = shard.truth.copy(), np.zeros_like(shard.truth)
        for row, video in enumerate(shard.ids):
            side.mix(target[row], video, WEIGHT)
            side.mix(alone[row], video, 1.0)
        whole = WEIGHT * shard.probabilities + (1 - WEIGHT) * shard.truth
        mass += float(alone.sum(dtype=np.float64))
        whole_mass += float(shard.probabilities.sum(dtype=np.float64))
        off += float(np.abs(target - whole).sum(dtype=np.float64))
        left += loss(whole, target) - loss(whole, whole)
    return {
        "k": f"{kept:,}" + (" (all)" if kept == shards[0].truth.shape[1] else ""),
        "mass kept": f"{mass / whole_mass:.4f}",
        "target off by": f"{off / videos:.4f}",
        "loss left": f"{left / videos:.4f}",
        "GB a million videos": f"{size / videos / 1000:.3f}",
        "s a million videos": f"{1e6 * seconds / videos:.1f}",
    }


def loss(target_NC: Floats, probabilities_NC: Floats) -> float:
    """The label loss, summed over videos, too."""
    target, probabilities = target_NC.astype(np.float64), probabilities_NC.astype(np.float64)
    positive = target * np.log(probabilities + EPSILON)
    return -float(np.sum(positive + (1 - target) * np.log(np.maximum(1 - probabilities, 0) + EPSILON)))


def students(recipe: Recipe, options: argparse.Namespace, labels: Path | None) -> Row:
    """Mean and spread of what the student reaches with the soft labels in a folder, or without any."""
    found = []
    for seed in range(options.seeds):
        member = replace(
            recipe.member(options.student),
            seed=seed,
            teacher=options.name if labels else None,
            teacher_weight=WEIGHT,
        )
        taught_by = replace(recipe, members={**recipe.members, STUDENT: member})
        with tempfile.TemporaryDirectory() as folder:
            runs = Path(folder)
            if labels:
                teacher = Run.of(runs, recipe.name, options.name)
                teacher.path.mkdir(parents=True)
                teacher.soft_labels.symlink_to(labels)
            experiment = Experiment(taught_by, options.data, runs)
            if labels:
                adopt(Stages(experiment).distill(options.name))
            train(experiment, STUDENT)
            average(experiment, STUDENT)
            found.append(json.loads(evaluate(experiment, STUDENT).read_text()))
    row: Row = {}
    for key, title in (("gap", "student's GAP@20"), ("map", "mAP")):
        values = [scores[key] for scores in found]
        row |= {title: f"{np.mean(values):.4f}", f"{title} spread": f"{np.ptp(values):.4f}"}
    return row


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--recipe", default="techniques")
    parser.add_argument("--name", default="teacher_0", help="an exported ensemble or member")
    parser.add_argument("--data", type=Path, default=os.environ.get("YT8M_DATA", "data/audioset"))
    parser.add_argument("--runs", type=Path, default=os.environ.get("YT8M_RUNS", "runs"))
    parser.add_argument("--videos", type=int, default=20_000)
    parser.add_argument("--student", help="a member of the recipe to be trained on each")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    recipe = load(options.recipe)
    graph = Run.of(options.runs, recipe.name, options.name).graph
    if not graph.exists():
        print(f"{graph} is not there: nothing to measure")
        return
    paths = splits.find(options.data, "train")
    if options.student:
        options.videos = splits.count(paths)  # it is trained on all of them
    shards = list(taught(recipe, graph, paths, options.videos))
    classes = recipe.dataset.classes
    rows: list[Row] = []
    for kept in [*(kept for kept in KEPT if kept < classes), classes]:
        with tempfile.TemporaryDirectory() as folder:
            row = cost(shards, kept, Path(folder))
            if options.student:
                soft_labels.write_index(
                    Path(folder) / "manifest.json", Path(folder), [shard.path for shard in shards], kept
                )
                row |= students(recipe, options, Path(folder))
        rows.append(row)
    if options.student:
        rows.append({"k": "no teacher"} | students(recipe, options, None))
    videos = sum(len(shard.ids) for shard in shards)
    text = f"{options.name} of {recipe.name}, {videos:,} videos, {classes:,} classes:\n\n{markdown(rows)}"
    docs_tables.show("soft_labels", text, options.write)


if __name__ == "__main__":
    main()
