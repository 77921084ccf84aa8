"""The 2018 starter's archive: flat, safe to unpack, and the same predictions in a process without the kit."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.families import ROWS, TOY, build, videos
from tests.support.recipes import RECIPES
from yt8m_kit import models
from yt8m_kit.cli.main import main
from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import format_of
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import DEMO
from yt8m_kit.export import blended_graph, starter_archive
from yt8m_kit.export.export import encoded
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


def load_as_the_starter(path, shard, out, frames):
    environment = os.environ | {"PYTHONPATH": "", "LOADER_FRAMES": str(frames)}
    command = [sys.executable, "-W", "error", LOADER, path, shard, out]
    subprocess.run(command, check=True, env=environment, cwd=out.parent, capture_output=True)
    return np.load(out)


def test_a_process_without_the_kit_predicts_the_same(runs, tiny_data, tmp_path):
    shard = splits.find(tiny_data.path, "validate")[0]
    run = Run.of(runs, "tiny", "small")
    found = load_as_the_starter(run.archive, shard, tmp_path / "found.npz", DEMO.max_frames)
    batch = next(read_batches([shard], DEMO, 100))
    saved = tf.saved_model.load(str(run.graph))
    inputs = {"frames": tf.constant(batch.frames), "num_frames": tf.constant(batch.num_frames)}
    expected = saved.signatures["serving_default"](**inputs)["probabilities"]
    assert found["ids"].tolist() == batch.ids
    assert found["shape"].tolist() == [-1, DEMO.classes]
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
    *("dbof", "frame_logistic", "gated_dbof", "gru", "hg_nl", "lstm-bidirectional", "netfv"),
    *("netvlad-non-local", "nextvlad-mixture", "soft_bof", "stnet", "tsn", "video_level"),
]


def test_every_family_can_be_archived(tmp_path):
    """Thirteen families in one graph, fed floats: as the function of bytes says."""
    parts = []
    for number, row in enumerate(FAMILIES):
        outline = models.outline(ROWS[row][0], TOY, **ROWS[row][1])
        codec, model = ["uint8", "int6"][number % 2], build(row)
        formats = {v.path: format_of(codec, v.path, tuple(v.shape)) for v in model.variables}
        parts.append(encoded(model, outline, 1 / len(FAMILIES), formats, {}))
    inputs, _ = videos()
    values = [[decode(stored) for _, stored in part.weights] for part in parts]
    expected = blended_graph.mixed(parts, values, inputs, rounds=1)
    starter_archive.write_members(TOY, parts, 1, tmp_path)
    floats = inputs["frames"] * np.float32(4 / 255) + np.float32(4 / 512 - 2)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saver = tf.compat.v1.train.import_meta_graph(str(tmp_path / "inference_model.meta"))
        saver.restore(session, str(tmp_path / "inference_model"))
        session.run(tf.compat.v1.local_variables_initializer())
        raw, counts, predictions = (
            tf.compat.v1.get_collection(name)[0] for name in starter_archive.COLLECTIONS
        )
        found = session.run(predictions, {raw: floats, counts: inputs["num_frames"]})
        assert not [node.name for node in session.graph_def.node if node.name.startswith("input")]
    np.testing.assert_allclose(found, expected, atol=1e-5)
