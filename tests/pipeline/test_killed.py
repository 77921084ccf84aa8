"""What a kill between two steps leaves behind is taken for what it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.output.provenance import pending
from yt8m_kit.pipeline.job import put_aside
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def trained(tiny_data, tiny_runs, tmp_path, tiny_recipes):
    """The stage that has trained a member, in a copy of the runs."""
    shutil.copytree(tiny_runs, tmp_path / "runs")
    return Stages(Experiment(load("tiny"), tiny_data.path, tmp_path / "runs")).train("logistic")


def places(stage):
    return [f"--data={stage.experiment.data}", f"--runs={stage.experiment.runs}"]


def test_a_product_whose_record_is_still_pending_is_up_to_date(trained, capsys):
    """Killed between the two renames: nothing is trained again, by the verb or by `yt8m run`."""
    known = trained.identity()
    os.replace(trained.record, pending(trained.record))
    assert Inspection().state(trained).kind == "up to date"
    assert trained.identity() == known
    assert main(["run", "tiny", "logistic", "--to=train", "--dry_run", *places(trained)]) == 0
    assert capsys.readouterr().out == "everything is up to date\n"
    assert main(["train", "tiny", "logistic", *places(trained)]) == 0
    assert trained.record.exists()
    assert not pending(trained.record).exists()


def test_a_pending_record_of_a_product_that_never_took_its_name_is_dropped(trained):
    shutil.copy(trained.record, pending(trained.record))
    trained.record.unlink()
    trained.main.write_bytes(b"another one")
    assert Inspection().state(trained).kind == "stale"
    trained.main.unlink()
    assert Inspection().state(trained).kind == "unfinished"


def test_a_stale_product_that_was_half_put_aside_is_put_aside_by_the_next_attempt(trained, monkeypatch):
    """The main file goes last; until then the stage is known as one to be made anew."""
    move, moved = shutil.move, []

    def killed(source, target):
        if source == trained.main:
            raise KeyboardInterrupt
        moved.append(source)
        return move(source, target)

    monkeypatch.setattr(shutil, "move", killed)
    with pytest.raises(KeyboardInterrupt):
        put_aside(trained)
    assert trained.record in moved
    assert Inspection().state(trained).kind == "stale"
    monkeypatch.setattr(shutil, "move", move)
    put_aside(trained)
    assert Inspection().state(trained).kind == "missing"


@pytest.mark.long
def test_twenty_kills_over_all_stages_cost_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "tools.kill_campaign", "--kills=20"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "differ from a run without kills: 0." in done.stdout
