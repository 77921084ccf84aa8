"""The 2018 starter's archive: flat, safe to unpack, and the same predictions in a process without the kit."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.families import ROWS, TOY, videos
from tests.support.recipes import RECIPES
from yt8m_kit import models
from yt8m_kit.cli.main import main
from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import format_of
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.format.tfrecord import framed
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import AUDIOSET, DEMO
from yt8m_kit.export import blended_graph, starter_archive
from yt8m_kit.export.export import encoded
from yt8m_kit.export.saved_model import write_saved_model
from yt8m_kit.quantization import sizes
from yt8m_kit.recipe import load
from yt8m_kit.run import Run

pytestmark = pytest.mark.usefixtures("tiny_recipes")
LOADER = Path(__file__).parents[1] / "fakes" / "starter_loader.py"
FILES = {"inference_model.data-00000-of-00001", "inference_model.index", "inference_model.meta"}


@pytest.fixture(scope="module")
def runs(tiny_runs, tmp_path_factory):
    """The tiny recipe's small ensemble, 4 bits, two rounds, as a graph and as an archive."""
    runs = tmp_path_factory.mktemp("archive") / "runs"
    shutil.copytree(tiny_runs, runs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        for words in (["ensemble"], ["export"], ["export", "--format=tgz"]):
            assert main([words[0], "tiny", "small", f"--runs={runs}", *words[1:]]) == 0
    return runs


def load_as_the_starter(path, shard, out):
    environment = os.environ | {"PYTHONPATH": ""}
    command = [sys.executable, "-W", "error", LOADER, path, shard, out]
    done = subprocess.run(command, env=environment, cwd=out.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.load(out)


def saved_predictions(graph, dataset, shard):
    """Ids and probabilities of a shard by the SavedModel."""
    batch = next(read_batches([shard], dataset, 100))
    saved = tf.saved_model.load(str(graph))
    inputs = {"frames": tf.constant(batch.frames), "num_frames": tf.constant(batch.num_frames)}
    return batch.ids, saved.signatures["serving_default"](**inputs)["probabilities"]


def test_a_process_without_the_kit_predicts_the_same(runs, tiny_data, tmp_path):
    """The starter feeds 300 frames, the graph was made for 32."""
    shard = splits.find(tiny_data.path, "validate")[0]
    run = Run.of(runs, "tiny", "small")
    found = load_as_the_starter(run.archive, shard, tmp_path / "found.npz")
    ids, expected = saved_predictions(run.graph, DEMO, shard)
    assert found["ids"].tolist() == ids
    assert found["shape"].tolist() == [-1, DEMO.classes]
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)


def parts_of(rows, dataset):
    """Members with random weights, 8 and 6 bits in turn, of equal shares."""
    parts = []
    for number, row in enumerate(rows):
        family, settings = ROWS[row]
        model = models.build(family, dataset, **settings)
        codec = ["uint8", "int6"][number % 2]
        formats = {v.path: format_of(codec, v.path, tuple(v.shape)) for v in model.variables}
        outline = models.outline(family, dataset, **settings)
        parts.append(encoded(model, outline, 1 / len(rows), formats, {}))
    return parts


def test_a_data_set_of_ten_frames_is_fed_three_hundred(tmp_path):
    """AudioSet's width, classes and frames; some videos have more than ten frames."""
    rng, shard = np.random.default_rng(0), tmp_path / "test0000.tfrecord"
    clips = [rng.integers(0, 256, (count, AUDIOSET.width), np.uint8) for count in (10, 1, 7, 13, 4)]
    records = [
        sequence_example(f"clip{number}", [number], {"audio_embedding": frames})
        for number, frames in enumerate(clips)
    ]
    shard.write_bytes(b"".join(map(framed, records)))
    parts = parts_of(["netvlad", "gru", "dbof"], AUDIOSET)
    folder = tmp_path / "members"
    folder.mkdir()
    write_saved_model(AUDIOSET, parts, 2, tmp_path / "graph")
    starter_archive.write_members(AUDIOSET, parts, 2, folder)
    starter_archive.pack(folder, tmp_path / "graph.tgz")
    found = load_as_the_starter(tmp_path / "graph.tgz", shard, tmp_path / "found.npz")
    ids, expected = saved_predictions(tmp_path / "graph", AUDIOSET, shard)
    assert found["ids"].tolist() == ids
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)


def test_the_archive_is_flat_and_as_large_as_its_codes(runs):
    run = Run.of(runs, "tiny", "small")
    with tarfile.open(run.archive, "r:gz") as tar:
        members = tar.getmembers()
        stream = tar.extractfile("model_flags.json")
        assert stream is not None
        flags = json.load(stream)
    assert {member.name for member in members} == FILES | {"model_flags.json"}
    assert all(member.isfile() for member in members)
    assert flags["feature_names"] == "rgb,audio"
    assert flags["feature_sizes"] == "1024,128"
    size = {member.name: member.size for member in members}
    shares = json.loads(run.export.read_text())["weights"]
    tensors = sizes.stored(load("tiny"), list(shares), "int4_g128")
    assert size["inference_model.data-00000-of-00001"] == sum(tensor.size for tensor in tensors)


def test_packing_is_deterministic(runs, tmp_path):
    run = Run.of(runs, "tiny", "small")
    with tarfile.open(run.archive, "r:gz") as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # not before Python 3.11.4
        tar.extractall(tmp_path / "files")
    starter_archive.pack(tmp_path / "files", tmp_path / "again.tgz")
    assert (tmp_path / "again.tgz").read_bytes() == run.archive.read_bytes()


def test_no_temporary_folder_remains(runs):
    kept = {path.name for path in Run.of(runs, "tiny", "small").path.iterdir()}
    assert kept == {"ensemble.json", "graph", "export.json", "graph.tgz", "provenance", ".lock"}


def test_over_the_limit_no_archive_is_written(runs, capsys):
    assert main(["ensemble", "tiny", "tight", f"--runs={runs}"]) == 0
    assert main(["export", "tiny", "tight", "--format=tgz", f"--runs={runs}"]) == 1
    assert "over the limit of 150,000" in capsys.readouterr().err
    kept = {path.name for path in Run.of(runs, "tiny", "tight").path.iterdir()}
    assert kept == {"ensemble.json", "provenance", ".lock"}


FAMILIES = [
    *(
        "attention_pooling-softmax",
        "dbof",
        "frame_logistic",
        "gated_dbof",
        "gru",
        "hg_nl",
        "lstm-bidirectional",
        "netfv",
    ),
    *("netvlad-non-local", "nextvlad-mixture", "soft_bof"),
    *("stnet", "tsn", "video_level"),
]


@contextmanager
def archived(parts, folder):
    """A session with the archive's graph beside it, ready to run: predict(raw, num_frames)."""
    starter_archive.write_members(TOY, parts, 1, folder)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saver = tf.compat.v1.train.import_meta_graph(str(folder / "inference_model.meta"))
        saver.restore(session, str(folder / "inference_model"))
        session.run(tf.compat.v1.local_variables_initializer())
        raw, counts, predictions = (
            tf.compat.v1.get_collection(name)[0] for name in starter_archive.COLLECTIONS
        )
        assert not [node.name for node in session.graph_def.node if node.name.startswith("input")]
        yield lambda frames, num_frames: session.run(predictions, {raw: frames, counts: num_frames})


def dequantized(codes):
    return codes * np.float32(4 / 255) + np.float32(4 / 512 - 2)


@pytest.mark.long
def test_every_family_can_be_archived(tmp_path):
    """Fifteen families in one graph, fed floats: as the function of bytes says; and more or fewer frames."""
    parts, (inputs, _) = parts_of(FAMILIES, TOY), videos()
    values = [[decode(stored) for _, stored in part.weights] for part in parts]
    expected = blended_graph.mixed(parts, values, inputs, rounds=1).numpy()
    floats, counts = dequantized(inputs["frames"]), inputs["num_frames"]
    longer = np.concatenate([floats, np.ones((len(floats), 288, TOY.width), np.float32)], axis=1)
    short = counts <= 9
    with archived(parts, tmp_path) as predict:
        np.testing.assert_allclose(predict(floats, counts), expected, atol=1e-5)
        np.testing.assert_allclose(predict(longer, counts), expected, atol=1e-5)
        found = predict(floats[short, :9], counts[short])
        np.testing.assert_allclose(found, expected[short], atol=1e-5)
        # Of 300 frames the first twelve count.
        found = predict(longer, np.where(counts == 12, 300, counts))
        np.testing.assert_allclose(found, expected, atol=1e-5)


BAD_INPUTS = [
    (np.zeros((2, 5, 24)), [0, 5], "num_frames must be at least 1"),
    (np.zeros((2, 5, 24)), [6, 5], "num_frames must be at most the number of frames that are given"),
    (np.zeros((2, 5, 24)), [5], "frames and num_frames must have the same number of videos"),
    (np.zeros((0, 5, 24)), [], "frames hold no video"),
    (np.full((2, 5, 24), 128), [5, 5], "frames must be dequantized, from -1.9922 to 2.0078"),
    (np.zeros((2, 5, 23)), [5, 5], r"\(2, 5, 23\).*\(None, None, 24\)"),
]


def test_bad_inputs_are_refused(tmp_path):
    with archived(parts_of(["frame_logistic"], TOY), tmp_path) as predict:
        for frames, num_frames, message in BAD_INPUTS:
            with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=message):
                predict(frames, num_frames)
