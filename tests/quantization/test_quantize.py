"""Calibrated rounding and bit allocation: codes against formulas, verbs end to end."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support.families import ROWS, TOY
from yt8m_kit import models
from yt8m_kit.cli.main import main
from yt8m_kit.codecs.encoding import decode, encode
from yt8m_kit.codecs.formats import FORMATS
from yt8m_kit.codecs.gptq import encode_calibrated, factors
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import AUDIOSET, DEMO
from yt8m_kit.errors import KitError
from yt8m_kit.evaluation.validation import predictions
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.inference.predictor import predictor
from yt8m_kit.metrics import gap_at_20
from yt8m_kit.quantization import quantize, sizes, tensor_plan, trial
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment, Run

pytestmark = pytest.mark.usefixtures("tiny_recipes")
RNG = np.random.default_rng(0)
AFFINE = [name for name, each in FORMATS.items() if each.affine]


def correlated(videos, inputs):
    """Inputs with most of their variance in a few directions."""
    few = RNG.standard_normal((videos, inputs // 8)) @ RNG.standard_normal((inputs // 8, inputs))
    return (few + 0.3 * RNG.standard_normal((videos, inputs))).astype(np.float32)


def output_error(encoded, kernel, x):
    return float(np.mean(np.square(x @ (np.asarray(decode(encoded)) - kernel))))


@pytest.mark.parametrize("format", AFFINE)
def test_calibrated_rounding_beats_nearest_rounding(format):
    """On inputs other than those of the moments, at equal bytes."""
    kernel = RNG.standard_normal((300, 70)).astype(np.float32)
    x = correlated(3000, 300)
    moments = (x[:2000].T @ x[:2000])[None]
    nearest, calibrated = (
        encode(format, kernel),
        encode_calibrated(format, kernel, factors(moments, len(kernel))),
    )
    assert calibrated.size == nearest.size
    assert output_error(calibrated, kernel, x[2000:]) < 0.3 * output_error(nearest, kernel, x[2000:])


def test_uncorrelated_inputs_give_the_nearest_codes():
    kernel = RNG.standard_normal((256, 40)).astype(np.float32)
    for moments in (np.eye(256)[None], np.zeros((2, 128, 128))):
        calibrated = encode_calibrated("int4_g128", kernel, factors(moments.astype(np.float32), len(kernel)))
        for key, array in encode("int4_g128", kernel).arrays.items():
            np.testing.assert_array_equal(calibrated.arrays[key], array)


def test_blocks_are_rounded_independently():
    """Moments in two blocks: each half of the kernel is rounded as it is alone with the same scales."""
    kernel = RNG.standard_normal((256, 40)).astype(np.float32)
    x = correlated(1000, 256)
    blocks = np.stack([x[:, :128].T @ x[:, :128], x[:, 128:].T @ x[:, 128:]])
    whole = np.asarray(decode(encode_calibrated("int4_g128", kernel, factors(blocks, len(kernel)))))
    for half, block in ((slice(0, 128), blocks[:1]), (slice(128, 256), blocks[1:])):
        alone = np.asarray(
            decode(encode_calibrated("int4_g128", kernel[half], factors(block, len(kernel[half]))))
        )
        np.testing.assert_allclose(whole[half], alone, atol=1e-5)


@pytest.fixture
def runs(tiny_runs, tmp_path):
    shutil.copytree(tiny_runs, tmp_path / "runs")
    return tmp_path / "runs"


def made(runs, tiny_data, name):
    """Plan and graph of an ensemble of the tiny recipe."""
    places = [f"--runs={runs}"]
    assert main(["ensemble", "tiny", name, *places]) == 0
    assert main(["quantize", "tiny", name, f"--data={tiny_data.path}", *places]) == 0
    assert main(["export", "tiny", name, *places]) == 0
    run = Run.of(runs, "tiny", name)
    return json.loads(run.plan.read_text()), tf.saved_model.load(str(run.graph)), run


def test_a_mixed_codec_uses_its_budget(runs, tiny_data, monkeypatch):
    limit = load("tiny").ensemble("mixed").limit
    monkeypatch.setattr(quantize, "graph_overhead", lambda rounds: (limit - 150_000) // 2)
    found, _, run = made(runs, tiny_data, "mixed")
    shares = {"logistic": 0.5, "netvlad": 0.5}
    tensors = tensor_plan.planned(load("tiny"), load("tiny").ensemble("mixed"), list(shares), run)
    size = sum(tensor.size for tensor in tensors)
    assert found["bytes"] == size <= 150_000
    smallest = sum(tensor.size for tensor in sizes.stored(load("tiny"), list(shares), "int4"))
    assert size > smallest + 10_000
    formats = {tensor.format for tensor in tensors} - {"float32"}
    assert len(formats) > 1
    assert formats <= set(trial.MIXED_FORMATS)
    for tensor in tensors:
        errors = found["errors"][tensor.member].get(tensor.path)
        if errors:  # the chosen format is worth its bytes
            assert errors[tensor.format] <= errors["int4"] + 1e-12


def test_the_graph_has_the_calibrated_codes(runs, tiny_data):
    _, graph, run = made(runs, tiny_data, "calibrated")
    recipe, weights = load("tiny"), runs / "tiny/netvlad/averaged.weights.h5"
    kept = tensor_plan.load_codes(
        run, tensor_plan.planned(recipe, recipe.ensemble("calibrated"), ["netvlad"], run)
    )
    batch = next(read_batches(splits.find(tiny_data.path, "validate"), DEMO, 40))
    inputs = {"frames": tf.constant(batch.frames), "num_frames": tf.constant(batch.num_frames)}
    found = {}
    for way in ("nearest", "kept"):
        model = load_weights(model_of(recipe.member("netvlad"), DEMO), weights)
        for variable in model.variables:
            if variable.path in kept:
                nearest = encode(kept[variable.path].format, variable.numpy())
                variable.assign(decode(kept[variable.path] if way == "kept" else nearest))
        found[way] = model(inputs, training=False)
    in_graph = graph.signatures["serving_default"](**inputs)["probabilities"]
    np.testing.assert_allclose(in_graph, found["kept"], atol=1e-6)
    assert np.abs(in_graph - found["nearest"]).max() > 1e-4


@pytest.mark.parametrize("row", ROWS)
def test_paths_of_a_models_tensors_are_unique(row):
    """Plans and codes are keyed by path."""
    paths = [weight.path for weight in models.weights(ROWS[row][0], TOY, **ROWS[row][1])]
    assert len(set(paths)) == len(paths)
    assert not [path for path in paths if "|" in path]


def test_codes_in_other_formats_than_the_plan_are_refused(tmp_path):
    run = Run.of(tmp_path, "r", "e")
    kernel = RNG.standard_normal((200, 100)).astype(np.float32)
    tensor_plan.save_codes(run, "m", {"kernel": encode("int4", kernel)})
    tensor = sizes.StoredTensor("m", "kernel", (200, 100), "int4", 0)
    np.testing.assert_array_equal(
        decode(tensor_plan.load_codes(run, [tensor])["kernel"]), decode(encode("int4", kernel))
    )
    with pytest.raises(KitError, match="has other formats than"):
        tensor_plan.load_codes(run, [tensor._replace(format="int6")])


def test_an_ensemble_of_a_single_format_needs_no_quantization(runs, capsys):
    assert main(["quantize", "tiny", "blend", "--data=/nowhere", f"--runs={runs}"]) == 2
    assert "blend is stored as uint8, which needs no measurement" in capsys.readouterr().err
    assert main(["export", "tiny", "mixed", f"--runs={runs}"]) == 2
    assert "run: yt8m ensemble tiny mixed" in capsys.readouterr().err
    assert main(["ensemble", "tiny", "mixed", f"--runs={runs}"]) == 0
    assert main(["export", "tiny", "mixed", f"--runs={runs}"]) == 2
    assert "run: yt8m quantize tiny mixed" in capsys.readouterr().err


def lost(member_trial, tensors, paths, whole, calibrated):
    """GAP@20 that a member loses with its tensors in these formats."""
    exact = {path: variable.numpy() for path, variable in member_trial.variables.items()}
    codes = {
        tensor.path: member_trial.best(tensor.path, tensor.format)[0]
        if calibrated
        else encode(tensor.format, exact[tensor.path])
        for tensor in tensors
    }
    for path, encoded in codes.items():
        member_trial.variables[path].assign(decode(encoded))
    _, found, truth, _ = predictions(predictor(member_trial.model), AUDIOSET, paths, "lost", strict=False)
    for path, value in exact.items():
        member_trial.variables[path].assign(value)
    return whole - gap_at_20(found, truth)


@pytest.mark.long
def test_gap_lost_by_codecs_on_real_clips(real_data, tmp_path, monkeypatch):
    """uint8 under 0.0005 GAP@20, float16 under 0.0001; calibrated 4 bits at most half of the nearest."""
    monkeypatch.delenv("YT8M_RECIPES")
    data, places = real_data / "audioset", [f"--runs={tmp_path}", f"--data={real_data / 'audioset'}"]
    for verb in ("train", "average", "evaluate"):
        assert main([verb, "audioset", "netvlad", *places]) == 0
    recipe, paths = load("audioset"), splits.find(data, "validate")
    scores = Run.of(tmp_path, "audioset", "netvlad").evaluation("validate", "weights")
    whole = json.loads(scores.read_text())["gap"]
    videos = trial.videos_of(AUDIOSET, splits.find(data, "train"))
    ways = [("uint8", False), ("float16", False), ("int4", False), ("int4", True)]
    with trial.format_trial(
        Experiment(recipe, data, tmp_path), "netvlad", videos, calibrated=True
    ) as member_trial:
        uint8, float16, nearest, calibrated = (
            lost(member_trial, sizes.stored(recipe, ["netvlad"], codec), paths, whole, rounded)
            for codec, rounded in ways
        )
    assert abs(float16) < 1e-4
    assert uint8 < 5e-4
    assert calibrated < 0.5 * nearest
