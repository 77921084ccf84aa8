"""The report page of many members: bytes, and seconds to write it.

    python -m benchmarks.reporting.page [--members 30] [--videos 3000] [--classes 527] [--folder TMP]
        [--write]

Runs are synthetic: training logs of 500 rows with 50 validations, probabilities of random members, an export
with twelve tensor groups for each member, and a blend with a search curve. Needs disk for the probabilities,
4 bytes for each member, video and class. The time is that of figures and page in this process, which imports
no framework.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import docs_tables
from yt8m_kit.data.format import vocabulary
from yt8m_kit.dataset import Dataset
from yt8m_kit.output.files import write_json
from yt8m_kit.output.tables import markdown
from yt8m_kit.pipeline.job import adopt
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe
from yt8m_kit.reporting.page.page import TEMPLATES, _vega, write_or_advise
from yt8m_kit.reporting.report import figures
from yt8m_kit.run import Experiment

ROWS, VALIDATED, GROUPS, CURVE = 500, 10, 12, 40
VERTICALS = ("Arts", "Games", "Sports", "Food", "Travel", "Science", "News", "Pets")


def recipe_of(members: int, classes: int) -> Recipe:
    """A recipe whose members alternate between final and averaged weights."""
    dataset = Dataset("synthetic", (("rgb", 1024), ("audio", 128)), classes)
    average = (None, Range(400, 500))
    found = {
        f"member_{number:02d}": Member("frame_logistic", steps=500, average=average[number % 2])
        for number in range(members)
    }
    return Recipe("synthetic", "synthetic runs", dataset, found, {"blend": Ensemble(tuple(found))})


def write_runs(experiment: Experiment, videos: int) -> None:
    """Write what the stages of all members, and of the blend, leave for a report."""
    random, recipe = np.random.default_rng(1), experiment.recipe
    classes = recipe.dataset.classes
    data = Path(str(experiment.data))
    data.mkdir(parents=True)
    rows = (f"{label},label {label},{VERTICALS[label % 8]},{10 + label}\n" for label in range(classes))
    (data / vocabulary.FILE).write_text("Index,Name,Vertical1,TrainVideoCount\n" + "".join(rows))
    truth = random.random((videos, classes)) < 3 / classes
    stages, names = Stages(experiment), list(recipe.members)
    for name in names:
        write_member(stages, name, random, truth)
    write_blend(stages, names, random)


def write_member(stages: Stages, name: str, random: np.random.Generator, truth: np.ndarray) -> None:
    """Write a member's log, scores, probabilities and export, with their records."""
    run, videos = stages.experiment.run(name), len(truth)
    run.path.mkdir(parents=True)
    run.metrics.write_text("".join(map(row_of, range(1, ROWS + 1))))
    for stage in (stages.train(name), stages.average(name)):
        stage.main.write_bytes(b"weights")
    if stages.recipe.member(name).average:
        write_json(run.average, {"trained": 0.79, "averages": {"400-500": 0.8}, "kept": "400-500"})
    noise = random.random(truth.shape, np.float32) ** 8
    ids = np.array([f"{video:04d}" for video in range(videos)])
    packed = np.packbits(truth, axis=1)
    np.savez(run.probabilities("validate"), ids=ids, probabilities=(noise + truth) / 2, truth=packed)
    scores = {"videos": videos, "videos_per_second": 1000.0, "gap": 0.8 + 0.05 * random.random()}
    scores |= {"map": 0.5, "hit1": 0.8, "perr": 0.7}
    counts = {"family": "frame_logistic", "parameters_saved": 10_000_000, "parameters_trainable": 10_000_000}
    write_json(stages.weight_scores(name, "validate").main, counts | scores)
    write_export(stages, name, [name])
    write_json(stages.graph_scores(name, "validate").main, scores)
    made = (stages.train(name), stages.average(name), stages.weight_scores(name, "validate"))
    for stage in (*made, stages.export(name), stages.graph_scores(name, "validate")):
        adopt(stage)


def row_of(step: int) -> str:
    """A line of a training log; every tenth has a validation."""
    row: dict[str, Any] = {"stage": "checkpoints", "step": step, "loss": 20 / (1 + step / 50)}
    row |= {"learning_rate": 1e-3 * 0.99**step, "videos_per_second": 900.0 + step % 7}
    if step % VALIDATED == 0:
        row["validation_gap"] = 0.8 - 1 / step
    return json.dumps(row) + "\n"


def write_export(stages: Stages, name: str, members: list[str]) -> None:
    """Write a graph of one small file and export.json with the bytes of a real one."""
    run = stages.experiment.run(name)
    run.graph.mkdir(parents=True)
    (run.graph / "saved_model.pb").write_bytes(b"graph")
    group = {"weights": 800_000, "bytes": 810_000, "formats": ["uint8"]}
    tensors = {member: {f"layer_{each}": group for each in range(GROUPS)} for member in members}
    weights = dict.fromkeys(members, 1 / len(members))
    about = {"bytes": 9_800_000 * len(members), "limit": 2**30, "codec": "uint8", "rounds": 1}
    write_json(run.export, about | {"weights": weights, "tensors": tensors})


def write_blend(stages: Stages, names: list[str], random: np.random.Generator) -> None:
    """Write a blend of equal weights with a search curve, its export and its scores."""
    weights = dict.fromkeys(names, 1 / len(names))
    curve = [
        {"bytes": 9_800_000 * size, "gap": 0.85 + 0.001 * size, "weights": dict.fromkeys(names[:size], 1.0)}
        for size in range(1, min(CURVE, len(names)) + 1)
    ]
    stages.experiment.run("blend").path.mkdir(parents=True)
    write_json(stages.ensemble("blend").main, {"weights": weights, "validation_gap": 0.88, "curve": curve})
    write_export(stages, "blend", names)
    scores = {"gap": 0.88, "map": 0.6, "hit1": 0.9, "perr": 0.8, "videos": 1, "videos_per_second": 90.0}
    write_json(stages.graph_scores("blend", "validate").main, scores)
    for stage in (stages.ensemble("blend"), stages.export("blend"), stages.graph_scores("blend", "validate")):
        adopt(stage)


def main() -> None:
    """Write the runs, then the page, and print its bytes and seconds."""
    parser = docs_tables.parser(__doc__)
    for name, default in (("members", 30), ("videos", 3000), ("classes", 527)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", help="for the runs")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=words.folder) as folder:
        places = Path(folder) / "data", Path(folder) / "runs"
        experiment = Experiment(recipe_of(words.members, words.classes), *places)
        write_runs(experiment, words.videos)
        began = time.monotonic(), time.process_time()
        path = write_or_advise(experiment, figures(experiment), "validate")
        seconds = time.monotonic() - began[0], time.process_time() - began[1]
        assert path is not None
        size = path.stat().st_size
    fixed = len(_vega()) + sum(len((TEMPLATES / name).read_bytes()) for name in ("page.js", "style.css"))
    about = {"members": words.members, "videos": words.videos, "classes": words.classes}
    row = about | {"page MB": f"{size / 1e6:.2f}", "of which scripts and style": f"{fixed / 1e6:.2f}"}
    row |= {"seconds": f"{seconds[0]:.1f}", "of processor time": f"{seconds[1]:.1f}"}
    docs_tables.show("report_page", markdown([row]), words.write)


if __name__ == "__main__":
    main()
