"""Training from another member's weights: what is taken, order, staleness, resuming; a chain of three."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.checkpoints import wait_for_step
from tests.support.in_this_process import InThisProcess
from tests.support.recipes import RECIPES
from yt8m_kit import models
from yt8m_kit import recipe as recipes
from yt8m_kit.cli.main import main
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.dataset import Dataset
from yt8m_kit.pipeline.goals import run
from yt8m_kit.run import Experiment
from yt8m_kit.training.transfer.initial_weights import transfer

SMALL = Dataset("small", (("rgb", 24), ("audio", 8)), classes=5, max_frames=8)


pytestmark = pytest.mark.usefixtures("recipes_of_tests")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("chain")
    dataset = recipes.load("chain").dataset
    synthesize(path, train=160, validate=60, test=8, shards=2, dataset=dataset)
    return path


@pytest.fixture(scope="module")
def made(data, tmp_path_factory) -> tuple[Path, InThisProcess]:
    """The runs of the chain and the engine that made them."""
    runs, engine = tmp_path_factory.mktemp("runs"), InThisProcess()
    run(Experiment(recipes.load("chain"), data, runs), ("stnet",), ("train",), lambda todo: engine)
    return runs, engine


@pytest.fixture
def runs(made, tmp_path) -> Path:
    shutil.copytree(made[0], tmp_path / "runs")
    return tmp_path / "runs"


def weights(model):
    return {variable.path: np.asarray(variable.numpy()) for variable in model.variables}


def arrays(path):
    """All arrays of a weights file by name."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None)
    return found


def test_weights_of_equal_name_and_shape_are_taken():
    source = models.build("tsn", SMALL, hidden=32)
    model = models.build("stnet", SMALL, width=32)
    before, there = weights(model), weights(source)
    found = transfer(model, source)
    assert sorted(found.taken) == ["logistic/bias", "logistic/kernel"]
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, (there if name in found.taken else before)[name], err_msg=name)
    assert "hidden/assignment/kernel" in found.unused
    assert found.of_other_shape == []


def test_another_head_is_left_as_it_was_initialized():
    """Its bias and kernel have another shape; moving statistics are taken, seeds are not."""
    source = models.build("tsn", SMALL, hidden=32)
    source.set_weights([np.full(w.shape, 0.5, w.dtype) for w in source.get_weights()])
    wider = Dataset("wider", SMALL.features, classes=7, max_frames=8)
    model = models.build("tsn", wider, hidden=32)
    head = {name: value for name, value in weights(model).items() if name.startswith("logistic")}
    found = transfer(model, source)
    assert "logistic/kernel (32, 5) there, (32, 7) here" in found.of_other_shape
    assert sum("moving" in name for name in found.taken) == 2
    after = weights(model)
    for name, value in head.items():
        np.testing.assert_array_equal(after[name], value)
    for name in found.taken:
        assert (after[name] == 0.5).all(), name


def test_the_chain_is_trained_in_its_order(made):
    runs, engine = made
    words = [each for each in engine.order if each.startswith(("train", "average"))]
    chain = ("train chain tsn", "average chain tsn", "train chain hg_nl", "average chain hg_nl")
    assert words == [*chain, "train chain stnet"]
    for name in ("hg_nl", "stnet"):
        record = json.loads((runs / f"chain/{name}/provenance/trained.weights.h5.json").read_text())
        text = json.dumps(record)
        assert "2 of " in text
        assert {"hg_nl": "from tsn", "stnet": "from hg_nl"}[name] in text
    log = [json.loads(line) for line in (runs / "chain/hg_nl/metrics.jsonl").read_text().splitlines()]
    rates = {row["step"]: row["learning_rate"] for row in log if "learning_rate" in row}
    assert rates[35] == pytest.approx(1e-2)  # 10 updates an epoch; of the next update
    assert rates[40] == rates[55] == pytest.approx(1e-3)
    assert rates[60] == rates[75] == pytest.approx(1e-4)


def test_what_is_taken_and_what_is_not_is_said(data, runs, capsys):
    shutil.rmtree(runs / "chain/stnet")
    assert main(["train", "chain", "stnet", f"--data={data}", f"--runs={runs}"]) == 0
    said = capsys.readouterr().err
    assert "initial weights: 2 of " in said
    assert "taken: logistic/kernel, logistic/bias" in said
    assert "there, but not used: input_norm" in said


def test_a_rate_that_never_falls_is_named(data, runs, capsys):
    words = ["train", "chain", "tsn", "--steps=12", f"--data={data}", f"--runs={runs}"]
    assert main(words) == 0  # a trial: 10 steps are an epoch
    assert "the training ends after 1.2 epochs, before steps_down at 2, 3" in capsys.readouterr().err


def test_sizes_that_share_no_weight_are_an_error(data, runs, capsys):
    assert main(["train", "chain", "unlike", f"--data={data}", f"--runs={runs}"]) == 2
    assert "no weight of tsn (tsn) has name and shape of one of this hg_nl" in capsys.readouterr().err


def test_missing_and_stale_initial_weights_are_refused_and_made_again(
    data, runs, tmp_path, monkeypatch, capsys
):
    own = tmp_path / "recipes"
    shutil.copytree(RECIPES, own)
    monkeypatch.setenv("YT8M_RECIPES", str(own))
    text = (own / "chain.py").read_text()
    (own / "chain.py").write_text(text.replace("steps_down=(2, 3)", "steps_down=(1, 3)"))
    places = [f"--data={data}", f"--runs={runs}"]
    assert main(["train", "chain", "hg_nl", *places]) == 2
    assert "steps_down was [2, 3], is now [1, 3]" in capsys.readouterr().err
    assert main(["train", "chain", "hg_nl", "--anew", *places]) == 2  # its input is stale
    assert "yt8m train chain tsn --anew" in capsys.readouterr().err
    engine = InThisProcess()
    run(Experiment(recipes.load("chain"), data, runs), ("stnet",), ("train",), lambda todo: engine)
    assert [each.split()[2] for each in engine.order if "train" in each] == ["tsn", "hg_nl", "stnet"]
    assert main(["train", "chain", "stnet", *places]) == 0
    shutil.rmtree(runs / "chain/tsn")
    shutil.rmtree(runs / "chain/hg_nl")
    assert main(["train", "chain", "hg_nl", *places]) == 2
    assert "averaged.weights.h5 is missing; run: yt8m average chain tsn" in capsys.readouterr().err


def test_weights_of_another_recipe_with_another_head(runs, tmp_path, capsys):
    dataset = recipes.load("chain_700").dataset
    synthesize(tmp_path / "more", train=32, validate=4, test=4, shards=1, dataset=dataset)
    words = ["train", "chain_700", "tsn", f"--data={tmp_path / 'more'}", f"--runs={runs}"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "from chain/tsn" in said
    assert "not taken, of another shape: logistic/kernel (32, 8) there, (32, 9) here" in said
    assert main(words) == 0
    shutil.rmtree(runs / "chain/tsn")
    shutil.rmtree(runs / "chain_700")
    assert main(words) == 2
    assert "yt8m average chain tsn" in capsys.readouterr().err


@pytest.mark.long
def test_the_chain_ends_in_the_report(data, runs, capsys):
    experiment = Experiment(recipes.load("chain"), data, runs)
    run(experiment, ("both",), ("evaluate",), lambda todo: InThisProcess())
    capsys.readouterr()
    assert main(["report", "chain", "--json", f"--runs={runs}"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"hg_nl", "stnet", "both"} <= rows.keys()
    assert rows["both"]["top-1"] > 1.5 / 8


@pytest.mark.long
def test_a_killed_training_resumes_exactly(data, made, tmp_path):
    """Each training in processes of its own; the initial weights are not taken a second time."""
    words = [sys.executable, "-m", "yt8m_kit.cli", "train", "chain", "long", f"--data={data}"]
    environment = os.environ | {"YT8M_RECIPES": str(RECIPES)}
    for name in ("whole", "killed"):
        shutil.copytree(made[0], tmp_path / name)
    subprocess.run([*words, f"--runs={tmp_path / 'whole'}"], env=environment, check=True)
    process = subprocess.Popen(
        [*words, f"--runs={tmp_path / 'killed'}"], env=environment, stderr=subprocess.PIPE, encoding="utf-8"
    )
    wait_for_step(tmp_path / "killed/chain/long/checkpoints/state.npz", 60, [process], 60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    done = subprocess.run(
        [*words, f"--runs={tmp_path / 'killed'}"], env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    assert "initial weights" not in done.stderr
    whole, killed = (tmp_path / name / "chain/long" for name in ("whole", "killed"))
    one, other = arrays(whole / "trained.weights.h5"), arrays(killed / "trained.weights.h5")
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    for folder in (whole, killed):
        assert "2 of " in (folder / "provenance/trained.weights.h5.json").read_text()
