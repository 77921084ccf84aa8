"""Stages on two Ray nodes of this machine: the bytes of one process, whatever node is lost."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ray_nodes import wait_for
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.output.digest import digest
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("tiny_recipes", "two_nodes")]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Splits of sixteen shards: two parts of eight."""
    path = tmp_path_factory.mktemp("sixteen")
    synthesize(path, train=160, validate=40, test=160, shards=16)
    return path


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory, two_nodes) -> Experiment:
    """The same runs without Ray, one stage after the other, each in a process of its own."""
    given = Experiment(load("tiny"), data, tmp_path_factory.mktemp("alone"))
    words = ["run", "tiny", "student", "long", "blend", f"--data={data}", f"--runs={given.runs}"]
    subprocess.run([sys.executable, "-m", "yt8m_kit.cli", *words], check=True)
    return given


def started(experiment, two_nodes, *names):
    """Start `yt8m run` for names; options among them replace the defaults."""
    words = ["run", "tiny", "--engine=ray", f"--data={experiment.data}", f"--runs={experiment.runs}"]
    defaults = {"--address": two_nodes.address, "--gpus_per_train": "0"}
    words += [f"{key}={value}" for key, value in defaults.items() if not any(key in name for name in names)]
    return subprocess.Popen(
        [sys.executable, "-m", "yt8m_kit.cli", *words, *names],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def products(experiment, *names):
    """SHA-256 of what members and ensembles are and predict."""
    runs = [experiment.run(name) for name in names]
    made = (file for run in runs for file in (run.averaged, run.submission, run.soft_labels))
    files = [file for file in made if file.exists()]
    return {file.relative_to(experiment.runs).as_posix(): digest(file) for file in files}


def test_two_nodes_make_the_bytes_of_one_process(two_nodes, alone, tmp_path):
    given = Experiment(alone.recipe, alone.data, tmp_path / "runs")
    process = started(given, two_nodes, "student", "blend")
    printed, said = process.communicate(timeout=900)
    assert process.returncode == 0, said
    assert printed.split() == [str(given.run(name).submission) for name in ("student", "blend")]
    names = ("logistic", "netvlad", "student", "blend")
    assert len(made := products(given, *names)) == 6
    assert made == products(alone, *names)
    assert "in 2 parts" in said
    shutil.rmtree(given.runs / "tiny" / "student")
    process = started(given, two_nodes, "student", "blend")
    _, said = process.communicate(timeout=900)
    assert process.returncode == 0, said
    assert made == products(given, *names)
    assert "train tiny logistic" not in said


def test_a_lost_node_costs_its_unfinished_tasks_alone(two_nodes, alone, tmp_path):
    """Lost in soft labels, in training and in prediction of one command."""
    given = Experiment(alone.recipe, alone.data, tmp_path / "runs")
    process = started(given, two_nodes, "student", "long")
    teacher, long = given.run("logistic"), given.run("long")
    wait_for((long.path / "checkpoints" / "state.npz").exists)
    two_nodes.lose(long, "train tiny long")
    wait_for(lambda: [*teacher.soft_labels.glob("*.npz")])
    two_nodes.lose(teacher, "distill tiny logistic")
    wait_for(lambda: [*long.predicted_shards("test").glob("*.json")])
    two_nodes.lose(long, "predict tiny long")
    _, said = process.communicate(timeout=900)
    assert process.returncode == 0, said
    for task in ("train tiny long", "distill tiny logistic", "predict tiny long"):
        lost = [line for line in said.splitlines() if line.startswith(task)]
        assert any(line.endswith("its node was lost; it resumes on another one") for line in lost), said
    names = ("logistic", "student", "long")
    assert products(given, *names) == products(alone, *names)
    assert "resuming" in long.log(("train", "tiny", "long")).read_text()


def test_a_failed_stage_stops_what_depends_on_it_alone(two_nodes, alone, tmp_path):
    given = Experiment(alone.recipe, alone.data, tmp_path / "runs")
    process = started(given, two_nodes, "runaway", "logistic")
    _, said = process.communicate(timeout=900)
    assert process.returncode == 1, said
    assert given.run("logistic").submission.exists()
    assert digest(given.run("logistic").averaged) == digest(alone.run("logistic").averaged)
    assert not given.run("runaway").graph.exists()
    assert "train tiny runaway failed: " in said
    assert said.splitlines()[-1].startswith("yt8m: failed: yt8m train tiny runaway; 3 dependent stages did")
    assert "Traceback" not in said
    assert "ray" not in said.lower()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gpus_per_train=1"], "no node of the cluster has 1 GPU: "),
        (
            ["--address=127.0.0.1:1"],
            "no Ray cluster replies at 127.0.0.1:1. Start one on this ",
        ),
    ],
)
def test_misuse_is_one_sentence_and_writes_nothing(two_nodes, data, tmp_path, options, said):
    given = Experiment(load("tiny"), data, tmp_path / "runs")
    process = started(given, two_nodes, "logistic", *options)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 2
    assert not printed
    [line] = errors.splitlines()
    assert line.startswith(f"yt8m: {said}")
    assert not given.runs.exists()
