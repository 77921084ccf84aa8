"""TensorBoard on a recipe's runs: what its own reader and its own server have of them."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from yt8m_kit.cli.main import main
from yt8m_kit.recipe import load
from yt8m_kit.reporting.report import figures
from yt8m_kit.reporting.tensorboard.points import hyperparameters, points_of
from yt8m_kit.reporting.tensorboard.series import Series
from yt8m_kit.reporting.tensorboard.server import update
from yt8m_kit.run import Experiment
from yt8m_kit.training.log import TrainingLog, read_rows

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def experiment(tiny_data, tiny_runs):
    return Experiment(load("tiny"), tiny_data.path, tiny_runs)


def read(folder):
    """Values by tag and step, as TensorBoard reads them."""
    found = EventAccumulator(str(folder))
    found.Reload()
    return {tag: {e.step: e.value for e in found.Scalars(tag)} for tag in found.Tags()["scalars"]}, found


def test_curves_are_the_logs(experiment, tmp_path):
    written: dict[str, Series] = {}
    update(written, tmp_path, experiment.recipe, points_of(experiment, "validate"))
    rows = read_rows(experiment.run("netvlad").metrics, "checkpoints")
    size = experiment.recipe.members["netvlad"].batch_size
    curves, _ = read(tmp_path / "netvlad/train")
    losses = {row["step"] * size: row["loss"] for row in rows if "loss" in row}
    assert curves["loss"] == pytest.approx(losses)
    assert set(curves) == {"loss", "learning_rate", "videos_per_second"}


def test_scores_are_those_of_the_table(experiment, tmp_path):
    update({}, tmp_path, experiment.recipe, points_of(experiment, "validate"))
    table = {row["name"]: row for row in figures(experiment, "validate")}
    scores, _ = read(tmp_path / "netvlad")
    for tag in ("GAP@20", "mAP", "parameters", "float32 MiB"):
        assert list(scores[tag].values()) == [pytest.approx(table["netvlad"][tag])]
    assert "board public" not in scores


def test_settings_are_hyperparameters(experiment, tmp_path):
    update({}, tmp_path, experiment.recipe, points_of(experiment, "validate"))
    _, found = read(tmp_path / "netvlad")
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    member = experiment.recipe.members["netvlad"]
    assert start["family"].string_value == "netvlad"
    assert start["learning_rate"].number_value == member.learning_rate
    assert start["clusters"].number_value == member.hyperparameters["clusters"]


def test_what_is_not_set_is_no_hyperparameter(experiment):
    found = hyperparameters(experiment.recipe.members["logistic"])
    assert not {"mixup", "teacher", "published_mib"} & set(found)
    assert all(isinstance(value, bool | int | float | str) for value in found.values())


def test_new_rows_are_added_and_those_of_a_resume_replace_the_old(experiment, tmp_path):
    written: dict[str, Series] = {}
    recipe = experiment.recipe
    points = [(100, {"loss": 3.0}), (200, {"loss": 2.0}), (300, {"loss": 1.0})]
    update(written, tmp_path, recipe, {"x/train": points[:2]})
    assert read(tmp_path / "x/train")[0] == {"loss": {100: 3.0, 200: 2.0}}
    update(written, tmp_path, recipe, {"x/train": points})
    assert read(tmp_path / "x/train")[0] == {"loss": {100: 3.0, 200: 2.0, 300: 1.0}}
    update(written, tmp_path, recipe, {"x/train": [points[0], (200, {"loss": 2.5})]})
    assert read(tmp_path / "x/train")[0] == {"loss": {100: 3.0, 200: 2.5}}


def test_nothing_trained_is_one_line(tiny_data, tmp_path, capsys):
    assert main(["tensorboard", "tiny", f"--data={tiny_data.path}", f"--runs={tmp_path}"]) == 2
    assert capsys.readouterr().err == (
        f"yt8m: nothing of recipe tiny was trained in {tmp_path}; run: yt8m run tiny\n"
    )


def started(runs):
    command = [sys.executable, "-m", "yt8m_kit.cli", "tensorboard", "tiny", f"--runs={runs}", "--port=0"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def fetched(address):
    with urllib.request.urlopen(address) as reply:
        return json.load(reply)


@pytest.mark.long
def test_the_server_shows_the_runs_and_follows_them(tiny_runs, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(tiny_runs, runs)
    with started(runs) as process:
        try:
            found = re.search(r"http://\S+/", process.stderr.readline())
            assert found
            address = f"{found[0]}data/plugin/scalars/"
            tags = fetched(f"{address}tags")
            assert {"netvlad", "netvlad/train", "logistic", "logistic/train"} <= set(tags)
            assert "GAP@20" in tags["netvlad"]
            metrics = runs / "tiny/netvlad/metrics.jsonl"
            last = read_rows(metrics, "checkpoints")[-1]["step"]
            TrainingLog(metrics, "checkpoints", last).append(last + 1, {"loss": 0.5})
            losses = f"{address}scalars?run=netvlad%2Ftrain&tag=loss"
            values = [fetched(losses)[-1][2]]
            while values[-1] != 0.5 and len(values) < 60:
                time.sleep(1)
                values.append(fetched(losses)[-1][2])
            assert values[-1] == 0.5
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
