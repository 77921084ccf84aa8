"""Averages, validation, accumulation and event files, each against its formula; resume after a kill."""

import json
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.order import Position
from yt8m_kit.dataset import DEMO
from yt8m_kit.inference.member_model import model_of
from yt8m_kit.layers.losses import LabelLoss
from yt8m_kit.recipe import Member
from yt8m_kit.training import checkpoints
from yt8m_kit.training.ema import ExponentialMovingAverage
from yt8m_kit.training.optimizer import optimizer_of
from yt8m_kit.training.steps import make_step

pytestmark = pytest.mark.usefixtures("tiny_recipes")


def numbers(model):
    return [keras.ops.convert_to_numpy(v) for v in model.variables]


def test_moving_averages_follow_their_formula():
    model = model_of(Member("netvlad", {"clusters": 4, "hidden": 4, "draws": 4}, steps=1), DEMO)
    averages = ExponentialMovingAverage(model, 0.1)
    rng = np.random.default_rng(0)
    floats = [v for v in model.variables if "float" in str(v.dtype)]
    expected = [keras.ops.convert_to_numpy(v).astype(np.float64) for v in floats]
    for _ in range(5):
        for variable in floats:
            variable.assign(rng.standard_normal(tuple(variable.shape)).astype(np.float32))
        averages.update([v.value for v in model.variables])
        new = [keras.ops.convert_to_numpy(v).astype(np.float64) for v in floats]
        expected = [0.9 * old + 0.1 * value for old, value in zip(expected, new)]
    for got, want in zip(averages.state(), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
    names = {v.name for v in floats}
    assert {"moving_mean", "moving_variance"} <= names
    again = ExponentialMovingAverage(model, 0.1)
    again.load_state(averages.state())
    again.copy_to_model()
    for variable, want in zip(floats, expected):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), want, rtol=1e-6, atol=1e-7)


def test_accumulated_gradients_equal_those_of_the_whole_batch(tiny_data):
    """Accumulating two halves gives the weights of one batch, for a model without batch statistics."""
    found = []
    for accumulate in (1, 2):
        member = Member("frame_logistic", batch_size=16, steps=3, learning_rate=0.01, accumulate=accumulate)
        model = model_of(member, DEMO)
        optimizer = optimizer_of(member, member.learning_rate)
        optimizer.build(model.trainable_variables)
        stepper = make_step(model, optimizer, LabelLoss(1e-5))
        size = 16 // accumulate
        for batch in read_batches(splits.find(tiny_data.path, "train"), DEMO, size, epochs=1):
            if len(batch.ids) == size:
                stepper.step(batch)
        found.append(numbers(model))
    assert not np.allclose(found[0][0], numbers(model_of(member, DEMO))[0])
    for one, other in zip(*found):
        # Updates moved weights by up to 0.03; where a gradient is near zero Adam magnifies its rounding.
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.long
def test_early_stopping_keeps_the_best_weights_and_a_range_is_searched(tiny_data, tmp_path, capsys):
    places = [f"--data={tiny_data.path}", f"--runs={tmp_path}"]
    assert main(["train", "tiny", "validated", *places]) == 0
    run = tmp_path / "tiny/validated"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    gaps = {row["step"]: row["validation_gap"] for row in rows if "validation_gap" in row}
    best = max(gaps, key=lambda step: gaps[step])
    last = max(gaps)
    assert last == min(400, best + 30)
    state = checkpoints.load_state(run / "checkpoints")
    assert state is not None
    assert state.notes["best_step"] == best
    assert (state.notes.get("stopped") == last) == (last < 400)
    assert main(["average", "tiny", "validated", *places]) == 0
    chosen = json.loads((run / "average.json").read_text())
    assert len(chosen["averages"]) == 3
    scores = chosen["averages"] | {"trained": chosen["trained"]}
    assert scores[chosen["kept"]] == max(scores.values())
    assert chosen["trained"] == pytest.approx(gaps[best], abs=1e-6)
    assert f"kept {chosen['kept']}" in capsys.readouterr().err


def kill_in_ema(data, runs):
    words = ["average", "tiny", "ema", f"--data={data}", f"--runs={runs}"]
    process = subprocess.Popen([sys.executable, "-m", "yt8m_kit.cli", *words], stderr=subprocess.DEVNULL)
    state = runs / "tiny/ema/ema/state.npz"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not state.exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return words


@pytest.mark.long
def test_an_ema_stage_resumes_bit_for_bit(tiny_data, tmp_path):
    results = []
    for kill in (False, True):
        runs = tmp_path / str(kill)
        assert main(["train", "tiny", "ema", f"--data={tiny_data.path}", f"--runs={runs}"]) == 0
        words = ["average", "tiny", "ema", f"--data={tiny_data.path}", f"--runs={runs}"]
        if kill:
            kill_in_ema(tiny_data.path, runs)
            assert not (runs / "tiny/ema/averaged.weights.h5").exists()
        done = subprocess.run(
            [sys.executable, "-m", "yt8m_kit.cli", *words], capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
        state = checkpoints.load_state(runs / "tiny/ema/ema")
        assert state is not None
        results.append(state)
    whole, resumed = results
    assert whole.step == resumed.step == 200
    for group in ("model", "shadows"):
        for one, other in zip(getattr(whole, group), getattr(resumed, group), strict=True):
            np.testing.assert_array_equal(one, other)
    assert any(np.abs(s - m).max() > 1e-4 for s, m in zip(whole.shadows, whole.model) if s.shape == m.shape)
    assert whole.position != Position()
