"""Every recipe that ships, as a toy, through all its stages: train, average, ensemble, export, predict."""

import functools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import toys

from yt8m_kit import submission_file
from yt8m_kit.cli import main
from yt8m_kit.data import records
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.layers.sampling import average_rounds
from yt8m_kit.pipeline import stages
from yt8m_kit.plan import planned
from yt8m_kit.predict import load_graph
from yt8m_kit.rebuild import load_weights, model_of
from yt8m_kit.recipe import Ema, Recipe, load
from yt8m_kit.run import Run

VIDEOS = 40  # of validate, and of test
SHORT, LONG = ("iqiyi",), ("next_top_gb", "phoenixlin", "yt8m_t", "liu", "baselines", "techniques")
CHAIN = "two_level_0"  # of techniques: the student of an ensemble with the student of an ensemble
# The root of a probability's mean squared change, of its spread over videos and classes.
ALLOWED = {
    "float32": 1e-5, "float16_four": 0.01, "bfloat16": 0.1, "uint8": 0.02,
    "int8_g128": 0.02, "int4_g128": 0.3, "mixed": 0.3,
}  # fmt: skip


class Made(NamedTuple):
    """A toy after all its stages. names: ensembles, and members alone, that went to the end."""

    recipe: Recipe
    names: list[str]
    data: Path
    runs: Path

    def run(self, name):
        return Run.of(self.runs, self.recipe.name, name)

    def members(self):
        """All that were trained."""
        return {path.parent.name for path in self.runs.glob("*/*/trained.weights.h5")}


def ends(recipe):
    """The ensembles of a recipe and the members that are in none; of techniques, one chain of teachers."""
    if recipe.name == "techniques":
        return [CHAIN]
    blended = {member for ensemble in recipe.ensembles.values() for member in ensemble.members}
    return [*recipe.ensembles, *(name for name in recipe.members if name not in blended)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys") / "data"
    synthesize(folder, train=toys.VIDEOS, validate=VIDEOS, test=VIDEOS, shards=2, classes=toys.CLASSES)
    return folder


@pytest.fixture(
    scope="module", params=[*SHORT, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)]
)
def made(request, data, tmp_path_factory):
    """The stages that make would follow to the CSVs, each once."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    (folder / f"{name}.py").write_text(f"import toys\n\nRECIPE = toys.toy({name!r})\n")
    runs = folder / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(folder))
        patch.setenv("YT8M_DATA", str(data))
        patch.setenv("YT8M_RUNS", str(runs))
        recipe = load(name)
        names = ends(recipe)
        for stage in (stage for each in names for stage in stages(recipe, each, runs)):
            if stage.makes.name not in ("validate.graph.json", "score.json"):
                assert stage.makes.exists() or main(stage.words) == 0, stage.words
                assert stage.makes.exists(), stage.words
    return Made(recipe, names, data, runs)


def test_the_csv_is_fit_to_be_handed_in(made):
    asked = {line.partition(",")[0] for line in (made.data / "test_truth.csv").read_text().splitlines()[1:]}
    for name in made.names:
        path = made.run(name).submission
        submission_file.check(path, toys.CLASSES, VIDEOS)
        assert set(submission_file.read(path, toys.CLASSES)[0]) == asked, name


def test_members_are_averaged_and_taught_as_asked(made):
    for name in made.members():
        member, run = made.recipe.member(name), made.run(name)
        if member.average is None:
            assert run.averaged.read_bytes() == run.trained.read_bytes(), name
        else:
            found = json.loads(run.average.read_text())
            what = member.average
            asked = (
                f"EMA 1/{1 / what.gamma:g}" if isinstance(what, Ema) else f"range {what.first}-{what.last}"
            )
            assert list(found["averages"]) == [asked], name
            assert member.keep_average == "better" or found["kept"] == asked, name
        if member.teacher:
            assert made.run(member.teacher).soft_labels.is_dir(), name


def test_the_graph_is_as_asked(made):
    """Codec, rounds and given weights; codes and nothing else, within the limit."""
    for name in made.names:
        ensemble, run = made.recipe.ensemble(name), made.run(name)
        export = json.loads(run.export.read_text())
        shares = export["weights"]
        assert (export["codec"], export["rounds"], export["limit"]) == (
            ensemble.codec, ensemble.rounds, ensemble.limit,
        )  # fmt: skip
        if ensemble.weights:
            assert shares == pytest.approx(dict(zip(ensemble.members, ensemble.weights)), abs=1e-5)
        tensors = planned(made.recipe, ensemble, list(shares), run)
        kept = tf.train.load_checkpoint(str(run.graph / "variables/variables"))
        arrays = [
            kept.get_tensor(n)
            for n in kept.get_variable_to_shape_map()
            if n != "_CHECKPOINTABLE_OBJECT_GRAPH"
        ]
        assert sum(array.nbytes for array in arrays) == sum(tensor.size for tensor in tensors), name
        on_disk = sum(file.stat().st_size for file in run.graph.rglob("*") if file.is_file())
        assert on_disk == export["bytes"] <= ensemble.limit, name


def test_the_graph_says_what_the_float_members_say(made):
    """Up to what the codec rounds; and with the rounds that were asked for, not another number."""
    batch = next(records.batches(records.find(made.data, "validate"), made.recipe.dataset, VIDEOS))
    inputs = {"frames": batch.frames, "num_frames": batch.num_frames}

    @functools.cache
    def floats(member, rounds):
        weights = made.run(member).averaged
        model = load_weights(model_of(made.recipe.member(member), made.recipe.dataset), weights)
        return np.asarray(average_rounds(model, inputs, rounds))

    for name in made.names:
        ensemble, run = made.recipe.ensemble(name), made.run(name)
        shares = json.loads(run.export.read_text())["weights"]
        graph = load_graph(run.graph, "serving_default")(batch)["probabilities"]
        off = {
            rounds: change(graph, sum(shares[member] * floats(member, rounds) for member in shares))
            for rounds in {1, ensemble.rounds}
        }
        print("OFF", made.recipe.name, name, ensemble.codec, off, len(shares), len(ensemble.members))
        assert off[ensemble.rounds] <= ALLOWED[ensemble.codec], name
        assert min(off, key=lambda rounds: off[rounds]) == ensemble.rounds, name


def change(found, exact):
    """Root mean square, of the spread of what is exact."""
    return float(np.sqrt(np.mean((found - exact) ** 2)) / exact.std())
