"""Weight averages and re-estimated BatchNorm statistics against numpy."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.order import Position
from yt8m_kit.dataset import DEMO
from yt8m_kit.errors import KitError
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.recipe import Member
from yt8m_kit.training import checkpoints
from yt8m_kit.training.average import assign_mean
from yt8m_kit.training.batch_norm import normalizing_layers, reestimate

pytestmark = pytest.mark.usefixtures("tiny_recipes")


def small_model():
    inputs = {
        "frames": keras.Input((DEMO.max_frames, DEMO.width), dtype="uint8", name="frames"),
        "num_frames": keras.Input((), dtype="int32", name="num_frames"),
    }
    values = keras.ops.cast(inputs["frames"], "float32") / 255.0
    hidden = keras.layers.Dense(5)(keras.ops.mean(values, axis=1))
    outputs = keras.layers.BatchNormalization(momentum=0.999)(hidden)
    return keras.Model(inputs, outputs), keras.Model(inputs, hidden)


def test_statistics_are_the_mean_over_batches(tiny_data):
    model, before = small_model()
    batches = list(read_batches(splits.find(tiny_data.path, "train"), DEMO, 10))[:4]
    reestimate(model, iter(batches), 4)
    (layer,) = normalizing_layers(model)
    hidden = [np.asarray(before({"frames": b.frames, "num_frames": b.num_frames})) for b in batches]
    np.testing.assert_allclose(
        layer.moving_mean.numpy(), np.mean([s.mean(0) for s in hidden], axis=0), rtol=1e-4
    )
    np.testing.assert_allclose(
        layer.moving_variance.numpy(), np.mean([s.var(0) for s in hidden], axis=0), rtol=1e-4
    )
    assert layer.momentum == 0.999


def test_every_normalizing_layer_of_a_family_is_found():
    model = model_of(Member("netvlad", {"clusters": 4, "hidden": 8, "draws": 8}, steps=1), DEMO)
    stored = [v for v in model.non_trainable_variables if v.name == "moving_variance"]
    assert len(normalizing_layers(model)) == len(stored) > 3


def test_reestimation_leaves_weights_unchanged(tiny_data):
    model = model_of(Member("netvlad", {"clusters": 4, "hidden": 8, "draws": 8}, steps=1), DEMO)
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    reestimate(model, read_batches(splits.find(tiny_data.path, "train"), DEMO, 10), 3)
    for old, new in zip(before, model.trainable_variables):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(new))
    assert any(isinstance(layer, Sample) for layer in model.layers)


def test_average_is_the_mean_of_the_range(tmp_path):
    model, _ = small_model()
    shapes = [tuple(v.shape) for v in model.variables]
    rng = np.random.default_rng(0)
    kept = {step: [rng.standard_normal(s).astype(np.float32) for s in shapes] for step in (10, 20, 30, 40)}
    for step, arrays in kept.items():
        checkpoints.save_weights(tmp_path, f"{step:08d}", arrays)
    found = checkpoints.weights_in(tmp_path, 20, 35)
    assert [path.name for path in found] == ["weights-00000020.npz", "weights-00000030.npz"]
    assign_mean(model, found)
    for i, variable in enumerate(model.variables):
        np.testing.assert_allclose(variable.numpy(), (kept[20][i] + kept[30][i]) / 2, rtol=1e-6)


def test_checkpoint_damaged_or_of_another_model_raises_its_path(tmp_path):
    model, _ = small_model()
    checkpoints.save_weights(tmp_path, "00000001", [np.zeros(3, np.float32)])
    with pytest.raises(KitError, match=r"weights-00000001.npz belongs to another model"):
        assign_mean(model, checkpoints.weights_in(tmp_path, 0, 9))
    (tmp_path / "weights-00000001.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(KitError, match=r"weights-00000001.npz is damaged"):
        assign_mean(model, checkpoints.weights_in(tmp_path, 0, 9))


def test_state_round_trip(tmp_path):
    state = checkpoints.State(
        7, Position(1, 2, 3), [np.arange(3.0)], [np.array(4), np.ones((2, 2))], [np.array(np.pi)], {"a": 1}
    )
    checkpoints.save_state(tmp_path, state)
    got = checkpoints.load_state(tmp_path)
    assert got is not None
    assert (got.step, got.position) == (7, Position(1, 2, 3))
    assert got.notes == {"a": 1}
    for group in ("model", "optimizer", "shadows"):
        for one, other in zip(getattr(got, group), getattr(state, group), strict=True):
            np.testing.assert_array_equal(one, other)
    assert checkpoints.load_state(tmp_path / "nowhere") is None


def test_average_verb_uses_the_kept_checkpoints(tiny_data, tiny_runs, tmp_path, capsys):
    """averaged.weights.h5 holds the plain mean of the kept arrays; a range without checkpoints exits 2."""
    run = tiny_runs / "tiny/netvlad"
    found = checkpoints.weights_in(run / "checkpoints", 10, 30)
    assert [int(path.stem[-2:]) for path in found] == [10, 15, 20, 25, 30]
    member = Member("netvlad", {"clusters": 4, "hidden": 8, "draws": 8}, steps=1)
    model = load_weights(model_of(member, DEMO), run / "averaged.weights.h5")
    kept = [list(checkpoints.read_weights(path)) for path in found]
    for i, variable in enumerate(model.variables):
        if any(variable is v for v in model.trainable_variables):
            np.testing.assert_allclose(
                variable.numpy(), np.mean([k[i] for k in kept], axis=0), rtol=1e-5, atol=1e-7
            )
    copy = tmp_path / "runs"
    shutil.copytree(tiny_runs, copy)
    (copy / "tiny/netvlad/averaged.weights.h5").unlink()
    for path in (copy / "tiny/netvlad/checkpoints").glob("weights-*"):
        path.unlink()
    assert main(["average", "tiny", "netvlad", f"--data={tiny_data.path}", f"--runs={copy}"]) == 2
    assert "no checkpoint of steps 10 to 30" in capsys.readouterr().err
    assert not Path(copy / "tiny/netvlad/averaged.weights.h5").exists()
