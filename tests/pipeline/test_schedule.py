"""Stages run once their inputs are made; a failure stops what depends on it and no more."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.support.in_this_process import InThisProcess
from tests.support.recipes import RECIPES
from yt8m_kit.cli.main import main
from yt8m_kit.pipeline import goals
from yt8m_kit.pipeline.engines.processes import Processes
from yt8m_kit.pipeline.engines.schedule import StageError
from yt8m_kit.pipeline.engines.task import Outcome, Task
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def experiment(tiny_data, tmp_path):
    return Experiment(load("tiny"), tiny_data.path, tmp_path / "runs")


def run(experiment, names, verbs, **options):
    engine = InThisProcess()
    goals.run(experiment, names, verbs, lambda todo: engine, **options)
    return engine


@pytest.fixture
def made(experiment, tiny_runs):
    """As `experiment`, with the products of `tiny_runs`."""
    shutil.copytree(tiny_runs, experiment.runs)
    return experiment


def test_independent_stages_run_at_the_same_time(made):
    for name in ("logistic", "netvlad"):
        made.run(name).averaged.unlink()
    made.run("blend").ensemble.unlink()
    engine = run(made, ["blend"], ["ensemble"])
    assert engine.most == 2, "logistic and netvlad"
    assert engine.order[-1] == "ensemble tiny blend"
    assert Inspection().state(Stages(made).ensemble("blend")).kind == "up to date"


def test_a_failed_stage_stops_those_that_depend_on_it_and_no_others(experiment, capsys):
    with pytest.raises(StageError) as failed:
        run(experiment, ["runaway", "logistic"], ["average"])
    assert failed.value.exit_code == 1
    assert str(failed.value) == "failed: yt8m train tiny runaway; 1 dependent stage did not run."
    assert "[1 of 4] train tiny runaway failed: its own sentence" in capsys.readouterr().err
    assert experiment.run("logistic").averaged.exists()
    assert not experiment.run("runaway").averaged.exists()


def test_a_missing_split_is_named_before_anything_runs(experiment, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(experiment.data, data, ignore=shutil.ignore_patterns("test*"))
    words = ["run", "tiny", "logistic", f"--data={data}", f"--runs={experiment.runs}"]
    assert main(words) == 2
    assert "no test shards: looked for" in capsys.readouterr().err
    assert not experiment.runs.exists()


def test_a_stage_whose_inputs_were_made_again_with_equal_content_does_not_run(made):
    run(made, ["exact"], ["export"])
    made.run("exact").ensemble.unlink()
    assert run(made, ["exact"], ["export"]).order == ["ensemble tiny exact"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--jobs=0"], "--jobs must be a whole number (at least 1); got 0."),
        (["--jobs=x"], "--jobs must be a whole number; got 'x'."),
        (["--engine=slurm"], "--engine must be one of local, ray; got 'slurm'."),
        (["--address=node1"], "--address and --gpus_per_train go with --engine=ray."),
        (["--gpus_per_train=2"], "--address and --gpus_per_train go with --engine=ray."),
        (["--engine=ray", "--jobs=2"], "--jobs goes with --engine=local;"),
    ],
)
def test_options_of_engines_are_checked_at_once(experiment, options, said, capsys):
    words = ["run", "tiny", "logistic", f"--data={experiment.data}", f"--runs={experiment.runs}"]
    assert main([*words, *options]) == 2
    assert said in capsys.readouterr().err
    assert not experiment.runs.exists()


def test_ray_without_its_extra_is_a_usage_error(experiment, monkeypatch, capsys):
    monkeypatch.setattr("yt8m_kit.cli.pipeline.find_spec", lambda name: None)
    assert main(["run", "tiny", "logistic", "--engine=ray", f"--data={experiment.data}"]) == 2
    assert "--engine=ray needs the extra ray: pip install 'yt8m-kit[ray]'." in capsys.readouterr().err


def test_processes_tell_their_last_sentence_or_signal(experiment):
    """A verb that fails at once, and one that is killed."""
    engine = Processes(2)
    stages = Stages(experiment)
    engine.start(Task(stages.export("logistic")))
    [(task, outcome)] = engine.finished(60)
    assert outcome == Outcome(2, f"{experiment.run('logistic').averaged} is missing; "
                                 "run: yt8m average tiny logistic")  # fmt: skip
    assert outcome.said in task.log.read_text()
    engine.start(Task(stages.train("long")))
    assert engine.finished(0) == []
    assert engine.is_free()
    [(_, process)] = engine._running
    process.send_signal(signal.SIGKILL)
    [(_, outcome)] = engine.finished(60)
    assert outcome == Outcome(137, "SIGKILL ended it")


def test_status_shows_what_a_process_at_work_printed_last(experiment, capsys):
    stage = Stages(experiment).train("logistic")
    with stage.run.alone(stage.words):
        stage.run.log(stage.words).parent.mkdir()
        stage.run.log(stage.words).write_text("started\nlogistic:  40%|####      | 40/100 [00:04<00:06]\n\n")
        assert main(["status", "tiny", f"--data={experiment.data}", f"--runs={experiment.runs}"]) == 0
    found = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert re.search(
        r"train logistic running train tiny logistic, process \d+ on .*: logistic: 40% 40/100", found
    )


@pytest.mark.long
def test_jobs_are_processes_that_ctrl_c_interrupts(experiment):
    """Interrupted between checkpoints, a training resumes where it stopped; its lock is free."""
    words = ["run", "tiny", "long", "ema", "--to=train", "--jobs=2"]
    places = [f"--data={experiment.data}", f"--runs={experiment.runs}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "yt8m_kit.cli", *words, *places],
        env=os.environ | {"YT8M_RECIPES": str(RECIPES)},
        stderr=subprocess.PIPE,
        text=True,
    )
    state = experiment.run("long").checkpoints / "state.npz"
    end = time.monotonic() + 120
    while not state.exists() and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "yt8m: interrupted; the same command resumes."
    assert not experiment.run("long").holder()
    assert main([*words, *places]) == 0
    assert "resum" in experiment.run("long").log(("train", "tiny", "long")).read_text()
    assert Inspection().state(Stages(experiment).train("long")).kind == "up to date"
