"""Every shipped recipe at toy size through all stages: train, average, ensemble, export, predict."""

import functools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from tests.support import toys
from yt8m_kit.cli.main import main
from yt8m_kit.codecs.encoding import decode, encode
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.layers.inputs.sampling import average_rounds
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.quantization.tensor_plan import load_codes, planned
from yt8m_kit.recipe import Ema, Recipe, load
from yt8m_kit.run import Experiment, Run
from yt8m_kit.submission.csv_reader import check, read

pytestmark = pytest.mark.long
VIDEOS = 40  # of validate, and of test
TOYS = ("iqiyi", "next_top_gb", "phoenixlin", "yt8m_t", "liu", "baselines", "techniques")
# What is made of recipes that have several of a kind: of techniques, the student of an ensemble with the
# student of an ensemble; of the grid of liu, given weights, calibrated formats and a selection; of the
# baselines, an ensemble and the families that no other recipe has.
ENDS = {
    "baselines": ["willow", "frame_logistic", "video_moe", "dbof"],
    "next_top_gb": ["nine"],
    "techniques": ["two_level_0"],
    "liu": ["YHLS", "eighteen", "best_8bit"],
    "yt8m_t": ["six", "six_4bit"],
}
# Bounds of the mean change of a probability, by codec.
ALLOWED = {
    "float32": 1e-6, "float16_four": 1e-3, "bfloat16": 5e-3, "uint8": 1e-3,
    "int8_g128": 1e-3, "int4_g128": 5e-3, "mixed": 5e-3,
}  # fmt: skip


class Made(NamedTuple):
    """A toy after all its stages. names: ensembles, and single members, that were predicted."""

    recipe: Recipe
    names: list[str]
    data: Path
    runs: Path

    def run(self, name):
        return Run.of(self.runs, self.recipe.name, name)

    def members(self):
        """All trained members."""
        return {path.parent.name for path in self.runs.glob("*/*/trained.weights.h5")}


def ends(recipe):
    """The ensembles of a recipe and the members that are in none, or those of ENDS."""
    if recipe.name in ENDS:
        return ENDS[recipe.name]
    blended = {member for ensemble in recipe.ensembles.values() for member in ensemble.members}
    return [*recipe.ensembles, *(name for name in recipe.members if name not in blended)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys") / "data"
    synthesize(folder, train=toys.VIDEOS, validate=VIDEOS, test=VIDEOS, shards=2, classes=toys.CLASSES)
    return folder


@pytest.fixture(scope="module", params=TOYS)
def made(request, data, tmp_path_factory):
    """The stages that lead to the CSVs, each once."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    (folder / f"{name}.py").write_text(f"from tests.support import toys\n\nRECIPE = toys.toy({name!r})\n")
    runs = folder / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(folder))
        patch.setenv("YT8M_DATA", str(data))
        patch.setenv("YT8M_RUNS", str(runs))
        recipe = load(name)
        names = ends(recipe)
        known = Stages(Experiment(recipe, data, runs))
        for stage in known.leading_to(known.predict(each) for each in names):
            assert main(list(stage.words)) == 0, stage.words
            assert stage.main.exists(), stage.words
    return Made(recipe, names, data, runs)


def test_the_csv_is_fit_to_be_handed_in(made):
    asked = {line.partition(",")[0] for line in (made.data / "test_truth.csv").read_text().splitlines()[1:]}
    for name in made.names:
        path = made.run(name).submission
        check(path, toys.CLASSES, VIDEOS)
        assert set(read(path, toys.CLASSES)[0]) == asked, name


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
    """Codec, rounds and given weights; nothing but codes, within the limit."""
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


def test_the_graph_says_what_its_members_say(made):
    """Equal up to rounding with the stored weights and rounds, close with float weights."""
    batch = next(read_batches(splits.find(made.data, "validate"), made.recipe.dataset, VIDEOS))
    exact = functools.cache(functools.partial(said, made, batch))
    for name in made.names:
        ensemble, run = made.recipe.ensemble(name), made.run(name)
        shares = json.loads(run.export.read_text())["weights"]
        tensors = planned(made.recipe, ensemble, list(shares), run)
        graph = load_graph(run.graph, "serving_default")(batch)["probabilities"]
        stored, floats = np.zeros((2, *graph.shape), np.float32)
        for member, share in shares.items():
            own = [tensor for tensor in tensors if tensor.member == member]
            formats = {tensor.path: tensor.format for tensor in own}
            stored += share * said(made, batch, member, ensemble.rounds, formats, load_codes(run, own))
            floats += share * exact(member, ensemble.rounds)
        np.testing.assert_allclose(graph, stored, atol=1e-5, err_msg=name)
        assert np.abs(graph - floats).mean() <= ALLOWED[ensemble.codec], name


def said(made, batch, member, rounds, formats=None, codes=None):
    """A member's probabilities with its float weights, or with those encoded in formats; codes: saved."""
    model = load_weights(model_of(made.recipe.member(member), made.recipe.dataset), made.run(member).averaged)
    for variable in model.variables if formats else []:
        if "float" in str(variable.dtype):
            path = variable.path
            encoded = codes[path] if path in codes else encode(formats[path], variable.numpy())
            variable.assign(decode(encoded))
    inputs = {"frames": batch.frames, "num_frames": batch.num_frames}
    return np.asarray(average_rounds(model, inputs, rounds))
