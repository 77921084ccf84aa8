"""Signals in validation, in `yt8m run` and in predictions; checkpoints by time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.shard_rows import ShardRows
from yt8m_kit.recipe import Member
from yt8m_kit.training import checkpoints, train

pytestmark = pytest.mark.usefixtures("tiny_recipes")


def command(verb, name, data, runs, *more):
    return [verb, "tiny", name, f"--data={data}", f"--runs={runs}", *more]


def weights(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None)
    return found


@pytest.mark.long
def test_a_signal_in_a_validation_leaves_it_to_the_next_run(tiny_data, tmp_path, monkeypatch, capsys):
    """Stopped in its second validation, and once more where that is repeated: same weights, same log."""
    for runs in ("whole", "stopped"):
        calls: list[str] = []
        validator = train.validator

        def interrupted(*arguments, make=validator, calls=calls, runs=runs):
            validate = make(*arguments)

            def signalled():
                calls.append(runs)
                if runs == "stopped" and len(calls) in (2, 3):
                    os.kill(os.getpid(), signal.SIGTERM)
                return validate()

            return signalled

        monkeypatch.setattr(train, "validator", interrupted)
        words = command("train", "validated", tiny_data.path, tmp_path / runs)
        codes = [main(words) for _ in range(3 if runs == "stopped" else 1)]
        monkeypatch.setattr(train, "validator", validator)
        assert codes == ([143, 143, 0] if runs == "stopped" else [0])
    assert (
        capsys.readouterr().err.count("stopped by SIGTERM at step 20 of 400; the same command resumes") == 2
    )
    whole, stopped = (
        weights(tmp_path / runs / "tiny/validated/trained.weights.h5") for runs in ("whole", "stopped")
    )
    assert whole.keys() == stopped.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], stopped[name], err_msg=name)
    logs = [
        (tmp_path / runs / "tiny/validated/metrics.jsonl").read_text().splitlines()
        for runs in ("whole", "stopped")
    ]
    scores = [
        [(row["step"], row["validation_gap"]) for row in map(json.loads, log) if "validation_gap" in row]
        for log in logs
    ]
    assert scores[0] == scores[1]


def test_run_passes_the_signal_on(tiny_data, tmp_path):
    words = command("run", "long", tiny_data.path, tmp_path, "--to=train")
    process = subprocess.Popen(
        [sys.executable, "-m", "yt8m_kit.cli", *words], stderr=subprocess.PIPE, text=True
    )
    state = tmp_path / "tiny/long/checkpoints/state.npz"
    while not state.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    *_, first, last = stderr.splitlines()
    assert first.startswith("yt8m: stopped by SIGTERM at step ")
    assert last == "yt8m: stopped by SIGTERM; the same command resumes."


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_run_passes_the_signal_on_to_all_jobs(tiny_data, tmp_path, monkeypatch, number):
    recipe = (Path(__file__).parents[1] / "recipes" / "tiny.py").read_text(encoding="utf-8")
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    recipe = recipe.replace("steps=200, learning_rate=1e38", "steps=100_000, learning_rate=1e-3")
    (tmp_path / "tiny.py").write_text(recipe, encoding="utf-8")
    words = ["run", "tiny", "long", "runaway", "--to=train", "--jobs=2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "yt8m_kit.cli", *words, f"--data={tiny_data.path}", f"--runs={tmp_path}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    runs = [tmp_path / "tiny" / name for name in ("long", "runaway")]
    while process.poll() is None and not all((run / "checkpoints/state.npz").exists() for run in runs):
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert stderr.splitlines()[-1] == f"yt8m: stopped by {number.name}; the same command resumes."
    for run in runs:
        last = (run / "logs" / "train.log").read_text(encoding="utf-8").splitlines()[-1]
        assert last.startswith(f"yt8m: stopped by {number.name} at step ")


def test_a_stopped_prediction_resumes_after_its_last_batch(
    tiny_data, tmp_path, tiny_runs, monkeypatch, capsys
):
    """The position is saved at once, not with the next of SAVE_BATCHES; batches end with their shard."""
    places = [f"--data={tiny_data.path}", f"--runs={tmp_path}"]
    monkeypatch.setattr("yt8m_kit.inference.predict.BATCH", 16)
    shutil.copytree(tiny_runs / "tiny", tmp_path / "tiny")
    rows = ShardRows.add
    added = []

    def add(self, batch, best):
        rows(self, batch, best)
        added.append(len(batch.ids))
        if len(added) == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ShardRows, "add", add)
    assert main(["export", "tiny", "logistic", f"--runs={tmp_path}"]) == 0
    assert main(["predict", "tiny", "logistic", *places]) == 143
    assert capsys.readouterr().err.splitlines()[-1] == "yt8m: stopped by SIGTERM; the same command resumes."
    assert main(["predict", "tiny", "logistic", *places]) == 0
    assert added == [16, 4, 16, 4]


def test_checkpoints_are_written_by_time(tiny_data, tmp_path, monkeypatch):
    """A hundred-millionth of a minute is over after every step."""
    recipe = Path(__file__).parents[1] / "recipes" / "tiny.py"
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    (tmp_path / "tiny.py").write_text(
        recipe.read_text().replace("steps=20,", "steps=20, checkpoint_minutes=1e-8,")
    )
    saved: list[int] = []
    save = checkpoints.save_state

    def noted(folder, state):
        saved.append(state.step)
        save(folder, state)

    monkeypatch.setattr(checkpoints, "save_state", noted)
    assert main(command("train", "logistic", tiny_data.path, tmp_path / "runs")) == 0
    assert saved == list(range(1, 21))


def test_products_do_not_depend_on_how_often_checkpoints_are_written():
    often, seldom = (Member("lstm", steps=1, checkpoint_minutes=minutes) for minutes in (1, 60))
    assert often.training_settings() == seldom.training_settings()
    assert "checkpoint_minutes" not in often.frozen()
    with pytest.raises(UsageError, match=r"checkpoint_minutes must be a number \(over 0\); got 0"):
        Member("lstm", steps=1, checkpoint_minutes=0)
