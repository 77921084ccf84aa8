"""The exported graph: what it says, what it weighs, what it refuses."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit import codecs, export
from yt8m_kit.cli import main
from yt8m_kit.data import records
from yt8m_kit.data.synthesize import DEMO
from yt8m_kit.layers.sampling import average_rounds
from yt8m_kit.metrics import top
from yt8m_kit.rebuild import load_weights, model_of
from yt8m_kit.recipe import load
from yt8m_kit.run import Run

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def runs(tiny_runs, tmp_path):
    shutil.copytree(tiny_runs, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def batch(tiny_data):
    return next(records.batches(records.find(tiny_data.path, "validate"), DEMO, 40))


def exported(runs, name):
    assert main(["export", "tiny", name, f"--runs={runs}"]) == 0
    return tf.saved_model.load(str(runs / "tiny" / name / "graph"))


def call(graph, signature, batch):
    out = graph.signatures[signature](
        frames=tf.constant(batch.frames), num_frames=tf.constant(batch.num_frames)
    )
    return {key: value.numpy() for key, value in out.items()}


def member_probabilities(runs, name, batch, codec=None, rounds=1):
    model = load_weights(model_of(load("tiny").member(name), DEMO), runs / f"tiny/{name}/averaged.weights.h5")
    if codec:
        for variable in model.variables:
            if "float" in str(variable.dtype):
                variable.assign(codecs.decode(codecs.encode(codec, variable.numpy())))
    inputs = {"frames": batch.frames, "num_frames": batch.num_frames}
    return np.asarray(average_rounds(model, inputs, rounds))


def test_a_float_graph_is_the_weighted_mean_of_its_members(runs, batch):
    assert main(["ensemble", "tiny", "exact", f"--runs={runs}"]) == 0
    probabilities = call(exported(runs, "exact"), "serving_default", batch)["probabilities"]
    expected = 0.25 * member_probabilities(runs, "logistic", batch)
    expected += 0.75 * member_probabilities(runs, "netvlad", batch)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_uint8_codes_are_what_the_graph_computes_with(runs, batch):
    probabilities = call(exported(runs, "netvlad"), "serving_default", batch)["probabilities"]
    np.testing.assert_allclose(
        probabilities, member_probabilities(runs, "netvlad", batch, "uint8"), atol=1e-6
    )
    assert np.abs(probabilities - member_probabilities(runs, "netvlad", batch)).max() > 1e-6


def test_rounds_are_averaged_in_the_graph(runs, batch):
    weights = json.loads((runs / "tiny/blend/ensemble.json").read_text())["weights"]
    probabilities = call(exported(runs, "blend"), "serving_default", batch)["probabilities"]
    parts = {name: member_probabilities(runs, name, batch, "uint8", rounds=2) for name in weights}
    expected = sum(weights[name] * parts[name] for name in weights) / sum(weights.values())
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert weights["netvlad"] == 0 or np.abs(
        parts["netvlad"] - member_probabilities(runs, "netvlad", batch, "uint8")
    ).max() > 1e-6  # fmt: skip


def test_top_is_the_top_of_the_probabilities(runs, batch):
    graph = exported(runs, "netvlad")
    best = call(graph, "top", batch)
    labels, confidences = top(call(graph, "serving_default", batch)["probabilities"])
    assert best["labels"].shape == (len(batch.ids), 20)
    np.testing.assert_allclose(best["confidences"], confidences, atol=1e-7)
    assert (best["labels"] == labels).mean() > 0.99


def test_a_prediction_depends_on_the_video_alone(runs, batch):
    graph = exported(runs, "netvlad")
    whole = call(graph, "serving_default", batch)["probabilities"]
    alone = call(
        graph, "serving_default", batch._replace(frames=batch.frames[3:4], num_frames=batch.num_frames[3:4])
    )
    np.testing.assert_allclose(alone["probabilities"], whole[3:4], atol=1e-6)
    garbage = batch.frames.copy()
    for row, count in zip(garbage, batch.num_frames):
        row[count:] = 255
    filled = call(graph, "serving_default", batch._replace(frames=garbage))
    np.testing.assert_allclose(filled["probabilities"], whole, atol=1e-6)


def test_two_loaded_graphs_do_not_share_weights(runs, batch):
    first = exported(runs, "logistic")
    before = call(first, "serving_default", batch)["probabilities"]
    exported(runs, "netvlad")
    np.testing.assert_array_equal(call(first, "serving_default", batch)["probabilities"], before)


def test_no_float_copy_is_on_disk(runs):
    exported(runs, "netvlad")
    run = Run.of(runs, "tiny", "netvlad")
    model = model_of(load("tiny").member("netvlad"), DEMO)
    codes = sum(codecs.size(codecs.encode("uint8", v.numpy())) for v in model.weights)
    stored = tf.train.load_checkpoint(str(run.graph / "variables/variables"))
    tensors = [name for name in stored.get_variable_to_shape_map() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sum(stored.get_tensor(name).nbytes for name in tensors) == codes
    on_disk = sum(file.stat().st_size for file in run.graph.rglob("*") if file.is_file())
    assert json.loads(run.export.read_text())["bytes"] == on_disk


def test_over_the_limit_nothing_is_written(runs, monkeypatch, capsys):
    monkeypatch.setattr(export, "SIZE_LIMIT", 50_000)
    assert main(["export", "tiny", "blend", f"--runs={runs}"]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "over the limit of 50,000; the largest member is netvlad" in message
    assert not Run.of(runs, "tiny", "blend").graph.exists()
    assert not list((runs / "tiny/blend").glob(".*partial"))


def test_what_is_missing_is_named(runs, capsys):
    Run.of(runs, "tiny", "blend").ensemble.unlink()
    assert main(["export", "tiny", "blend", f"--runs={runs}"]) == 2
    assert "run: yt8m ensemble tiny blend" in capsys.readouterr().err
