"""The exported graph: probabilities, size limit, errors."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.cli.main import main
from yt8m_kit.codecs.encoding import decode, encode
from yt8m_kit.codecs.formats import format_of
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import DEMO
from yt8m_kit.errors import KitError
from yt8m_kit.inference.member_model import load_weights, model_of, save_weights
from yt8m_kit.layers.inputs.sampling import average_rounds
from yt8m_kit.metrics import top
from yt8m_kit.pipeline.job import adopt
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.quantization import sizes
from yt8m_kit.recipe import Ensemble, Recipe, load
from yt8m_kit.run import Experiment, Run

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def runs(tiny_runs, tmp_path):
    """A copy of the runs, for tests that change them."""
    shutil.copytree(tiny_runs, tmp_path / "runs")
    return tmp_path / "runs"


class Exported:
    """Loaded graphs by name of the tiny recipe; each is exported once, into runs."""

    def __init__(self, runs):
        self.runs = runs
        self.loaded = {}

    def __call__(self, name):
        if name not in self.loaded:
            if name in load("tiny").ensembles:
                assert main(["ensemble", "tiny", name, f"--runs={self.runs}"]) == 0
            assert main(["export", "tiny", name, f"--runs={self.runs}"]) == 0
            self.loaded[name] = tf.saved_model.load(str(self.runs / "tiny" / name / "graph"))
        return self.loaded[name]


@pytest.fixture(scope="module")
def exported(tiny_runs, tmp_path_factory):
    runs = tmp_path_factory.mktemp("exported") / "runs"
    shutil.copytree(tiny_runs, runs)
    return Exported(runs)


@pytest.fixture(scope="module")
def batch(tiny_data):
    return next(read_batches(splits.find(tiny_data.path, "validate"), DEMO, 40))


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
                format = format_of(codec, variable.path, tuple(variable.shape))
                variable.assign(decode(encode(format, variable.numpy())))
    inputs = {"frames": batch.frames, "num_frames": batch.num_frames}
    return np.asarray(average_rounds(model, inputs, rounds))


def test_a_float_graph_is_the_weighted_mean_of_its_members(exported, batch):
    probabilities = call(exported("exact"), "serving_default", batch)["probabilities"]
    expected = 0.25 * member_probabilities(exported.runs, "logistic", batch)
    expected += 0.75 * member_probabilities(exported.runs, "netvlad", batch)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_uint8_codes_are_what_the_graph_computes_with(exported, batch):
    probabilities = call(exported("netvlad"), "serving_default", batch)["probabilities"]
    np.testing.assert_allclose(
        probabilities, member_probabilities(exported.runs, "netvlad", batch, "uint8"), atol=1e-6
    )
    assert np.abs(probabilities - member_probabilities(exported.runs, "netvlad", batch)).max() > 1e-6


def test_rounds_are_averaged_in_the_graph(exported, batch):
    weights = json.loads((exported.runs / "tiny/blend/ensemble.json").read_text())["weights"]
    probabilities = call(exported("blend"), "serving_default", batch)["probabilities"]
    parts = {name: member_probabilities(exported.runs, name, batch, "uint8", rounds=2) for name in weights}
    expected = sum(weights[name] * parts[name] for name in weights) / sum(weights.values())
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert weights["netvlad"] == 0 or np.abs(
        parts["netvlad"] - member_probabilities(exported.runs, "netvlad", batch, "uint8")
    ).max() > 1e-6  # fmt: skip


def test_top_returns_the_largest_probabilities(exported, batch):
    graph = exported("netvlad")
    best = call(graph, "top", batch)
    labels, confidences = top(call(graph, "serving_default", batch)["probabilities"])
    assert best["labels"].shape == (len(batch.ids), 20)
    np.testing.assert_allclose(best["confidences"], confidences, atol=1e-7)
    assert (best["labels"] == labels).mean() > 0.99


def test_a_prediction_depends_on_the_video_alone(exported, batch):
    graph = exported("netvlad")
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


BAD_INPUTS = [
    (np.zeros((2, 32, 1152), np.uint8), [0, 5], "num_frames must be at least 1"),
    (np.zeros((2, 32, 1152), np.uint8), [33, 5], "num_frames must be at most the number of frames"),
    (np.zeros((2, 32, 1152), np.uint8), [5], "frames and num_frames must have the same number of videos"),
    (np.zeros((0, 32, 1152), np.uint8), np.zeros(0, np.int32), "frames hold no video"),
    (np.zeros((2, 31, 1152), np.uint8), [5, 5], r"must have the shape \(videos, 32, 1152\); got.*2 31 1152"),
    (np.zeros((2, 40, 1152), np.uint8), [5, 5], r"must have the shape \(videos, 32, 1152\); got.*2 40 1152"),
    (np.zeros((2, 32, 1151), np.uint8), [5, 5], r"must have the shape \(videos, 32, 1152\); got.*2 32 1151"),
    (np.zeros((2, 32, 1152), np.float32), [5, 5], "expected to be a uint8 tensor but is a float tensor"),
]


@pytest.mark.parametrize("signature", ["serving_default", "top"])
@pytest.mark.parametrize(("frames", "num_frames", "message"), BAD_INPUTS)
def test_bad_inputs_are_refused(exported, signature, frames, num_frames, message):
    function = exported("logistic").signatures[signature]
    errors = (tf.errors.InvalidArgumentError, TypeError, ValueError)
    with pytest.raises(errors, match=message):
        function(frames=tf.constant(frames), num_frames=tf.constant(num_frames, tf.int32))


def test_two_loaded_graphs_do_not_share_weights(exported, batch):
    first = exported("logistic")
    before = call(first, "serving_default", batch)["probabilities"]
    exported("netvlad")
    np.testing.assert_array_equal(call(first, "serving_default", batch)["probabilities"], before)


@pytest.mark.parametrize("name", ["netvlad", "small"])
def test_no_float_copy_is_on_disk(exported, name):
    exported(name)
    run = Run.of(exported.runs, "tiny", name)
    recipe, codec = load("tiny"), load("tiny").ensemble(name).codec
    tensors = sizes.stored(recipe, list(json.loads(run.export.read_text())["weights"]), codec)
    kept = tf.train.load_checkpoint(str(run.graph / "variables/variables"))
    names = [name for name in kept.get_variable_to_shape_map() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sum(kept.get_tensor(name).nbytes for name in names) == sum(tensor.size for tensor in tensors)
    on_disk = sum(file.stat().st_size for file in run.graph.rglob("*") if file.is_file())
    assert json.loads(run.export.read_text())["bytes"] == on_disk


def test_the_graph_reads_records(exported, tiny_data, batch):
    """Serialized SequenceExamples are cut and padded as by the kit's reader."""
    graph = exported("netvlad")
    [path, *_] = splits.find(tiny_data.path, "validate")
    serialized = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    found = graph.signatures["records"](serialized=tf.constant(serialized))
    best = call(graph, "top", batch)
    assert [name.decode() for name in found["ids"].numpy()] == batch.ids[: len(serialized)]
    for key in ("labels", "confidences"):
        np.testing.assert_allclose(found[key].numpy(), best[key][: len(serialized)], atol=1e-6)


def test_over_the_limit_nothing_is_written(runs, capsys):
    assert main(["ensemble", "tiny", "tight", f"--runs={runs}"]) == 0
    assert main(["export", "tiny", "tight", f"--runs={runs}"]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    found = re.search(r"tight is ([\d,]+) bytes as uint8, ([\d,]+) over the limit of 150,000", message)
    assert found is not None
    total, over = (int(figure.replace(",", "")) for figure in found.groups())
    assert total - over == 150_000
    assert total == sum(t.size for t in sizes.stored(load("tiny"), ["logistic", "netvlad"], "uint8"))
    assert "Largest members: netvlad" in message
    assert "largest tensors: logistic logistic/kernel" in message
    assert "no codec would fit: leave members out" in message  # the operations alone exceed it
    assert not Run.of(runs, "tiny", "tight").graph.exists()
    assert not list((runs / "tiny/tight").glob(".*partial"))


def test_the_codec_that_would_fit_is_named(monkeypatch):
    """Liu & Liu's M and P: 168.87 + 158.65 MiB as float32, a quarter of that (and 3 %) with 8 bits."""
    monkeypatch.delenv("YT8M_RECIPES")
    blend = Ensemble(("M", "P"), codec="float32", limit=100 * 2**20)
    tensors = sizes.stored(load("liu"), ["M", "P"], "float32")
    with pytest.raises(KitError) as refused:
        sizes.check_size("both", blend, tensors)
    message = str(refused.value)
    (figure,) = re.findall(r"both is ([\d,]+) bytes as float32", message)
    total = int(figure.replace(",", ""))
    assert total / 2**20 == pytest.approx(168.87 + 158.65, abs=0.01)
    assert "Largest members: M 177,076,088, P 166,354,984" in message
    assert "codec int8_g128 would fit" in message


def test_operations_count_towards_the_limit(runs, monkeypatch, capsys):
    tensors = sizes.stored(load("tiny"), ["netvlad"], "uint8")
    codes = sum(tensor.size for tensor in tensors)
    alone = Ensemble(("netvlad",), limit=codes + 1000)
    monkeypatch.setattr(Recipe, "ensemble", lambda recipe, name: alone)
    assert main(["export", "tiny", "netvlad", f"--runs={runs}"]) == 1
    assert f"over the limit of {codes + 1000:,}" in capsys.readouterr().err
    assert not Run.of(runs, "tiny", "netvlad").graph.exists()


def test_weights_that_are_not_finite_are_named(runs, capsys):
    path = runs / "tiny/logistic/averaged.weights.h5"
    model = load_weights(model_of(load("tiny").member("logistic"), DEMO), path)
    kernel = next(variable for variable in model.variables if variable.path == "logistic/kernel")
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    path.unlink()
    save_weights(model, path)
    adopt(Stages(Experiment(load("tiny"), runs, runs)).average("logistic"))
    assert main(["ensemble", "tiny", "logistic_4bit", f"--runs={runs}"]) == 0
    assert main(["export", "tiny", "logistic_4bit", f"--runs={runs}"]) == 1
    assert "cannot encode logistic/kernel: weights must be finite" in capsys.readouterr().err


def test_a_missing_product_is_named(runs, capsys):
    Run.of(runs, "tiny", "blend").ensemble.unlink()
    assert main(["export", "tiny", "blend", f"--runs={runs}"]) == 2
    assert "run: yt8m ensemble tiny blend" in capsys.readouterr().err
