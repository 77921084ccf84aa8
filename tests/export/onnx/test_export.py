"""`yt8m export --format=onnx`: agreement with the graph, labels, size limit, mistakes."""

import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import DEMO
from yt8m_kit.metrics import top
from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.run import Run

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def runs(tiny_runs, tmp_path):
    shutil.copytree(tiny_runs, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def named(tmp_path):
    """A folder with names for two classes."""
    folder = tmp_path / "names"
    folder.mkdir()
    (folder / "vocabulary.csv").write_text("Index,Name\n0,Game\n2,Video  game\n")
    return folder


def test_a_blend_has_the_labels_of_its_graph(runs, named, tiny_data, elsewhere, capsys):
    words = ["tiny", "blend", f"--runs={runs}"]
    assert main(["export", *words]) == 0
    assert main(["export", *words, "--format=onnx", f"--data={named}"]) == 0
    run = Run.of(runs, "tiny", "blend")
    assert capsys.readouterr().out.splitlines()[-1] == str(run.onnx)
    batch = next(read_batches(splits.find(tiny_data.path, "validate"), DEMO, 40))
    found = elsewhere(run.onnx, batch.frames, batch.num_frames)
    assert found["labels"].tolist() == ["Game", "1", "Video game", *map(str, range(3, DEMO.classes))]
    graph = tf.saved_model.load(str(run.graph)).signatures["serving_default"]
    inputs = {"frames": tf.constant(batch.frames), "num_frames": tf.constant(batch.num_frames)}
    expected = graph(**inputs)["probabilities"].numpy()
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert np.mean(top(found["probabilities"])[0] == top(expected)[0]) > 0.99


def test_other_names_make_it_stale(runs, named, capsys):
    words = ["export", "tiny", "logistic", "--format=onnx", f"--runs={runs}", f"--data={named}"]
    assert main(words) == 0
    assert main(words) == 0
    assert "up to date" in capsys.readouterr().err
    (named / "vocabulary.csv").write_text("Index,Name\n0,Games\n")
    assert main(words) == 2
    assert "is stale" in capsys.readouterr().err


def test_over_the_limit_nothing_is_written(runs, monkeypatch, capsys):
    alone = Ensemble(("logistic",), limit=10_000)
    monkeypatch.setattr(Recipe, "ensemble", lambda recipe, name: alone)
    assert main(["export", "tiny", "logistic", "--format=onnx", f"--runs={runs}"]) == 1
    assert "over the limit of 10,000; nothing was written" in capsys.readouterr().err
    assert not list(Run.of(runs, "tiny", "logistic").path.glob("*onnx*"))


def test_the_extra_is_not_installed(runs, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert main(["export", "tiny", "logistic", "--format=onnx", f"--runs={runs}"]) == 2
    assert "yt8m: tf2onnx is not installed; install the extra: pip install 'yt8m-kit[onnx]'" in (
        capsys.readouterr().err
    )


def test_members_with_a_loop_are_named(runs, monkeypatch, capsys):
    recurrent = Member("gru", {"units": 8}, batch_size=16, steps=1)
    member = Recipe.member
    monkeypatch.setattr(
        Recipe, "member", lambda recipe, name: recurrent if name == "logistic" else member(recipe, name)
    )
    monkeypatch.setattr("yt8m_kit.pipeline.messages.beginning.announce", lambda stage, anew: None)
    assert main(["export", "tiny", "logistic", "--format=onnx", f"--runs={runs}"]) == 2
    said = capsys.readouterr().err
    assert "--format=onnx has no loops over frames, as of gru, lstm; got logistic. Export an ensemble" in said
