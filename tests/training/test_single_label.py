"""Single-label tasks from records to the board: softmax heads, cross-entropy, top-1 and top-5."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.in_this_process import InThisProcess
from tests.support.recipes import RECIPES
from yt8m_kit import recipe as recipes
from yt8m_kit.cli.main import main
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.format.tfrecord import writing
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.errors import DataError
from yt8m_kit.pipeline.goals import run
from yt8m_kit.run import Experiment

pytestmark = pytest.mark.usefixtures("recipes_of_tests")


@pytest.fixture(scope="module")
def dataset():
    return recipes.load("single").dataset


@pytest.fixture(scope="module")
def data(dataset, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("single")
    synthesize(path, train=240, validate=60, test=60, shards=2, dataset=dataset)
    return path


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory) -> Path:
    """A blend of two members, to the local board."""
    runs = tmp_path_factory.mktemp("runs")
    experiment = Experiment(recipes.load("single"), data, runs)
    run(experiment, ("blend",), ("evaluate", "submit"), lambda todo: InThisProcess())
    return runs


def table(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_synthesized_videos_have_one_label(data, dataset):
    for batch in read_batches(splits.find(data, "train"), dataset, 240):
        assert (batch.labels.sum(axis=1) == 1).all()
    rows = table(data / "test_truth.csv")
    assert len(rows) == 60
    assert all(row["Labels"].isdecimal() for row in rows)


def test_a_record_with_several_labels_is_bad(tmp_path, dataset):
    frames = {name: np.zeros((3, width), np.uint8) for name, width in dataset.features}
    with writing(tmp_path / "train0000.tfrecord") as write:
        for number, labels in enumerate([[3], [1, 2], [], [4, 4]]):
            write(sequence_example(f"v{number}", labels, frames))
    paths, faults = splits.find(tmp_path, "train"), Faults(1.0)
    (batch,) = read_batches(paths, dataset, 8, faults=faults)
    assert batch.ids == ["v0", "v2", "v3"]
    assert "labels holds 2 classes; the data set has one for each video" in faults.summary()
    with pytest.raises(DataError, match="labels holds 2 classes"):
        list(read_batches(paths, dataset, 8, strict=True))


@pytest.mark.parametrize("name", ["logistic", "moe"])
def test_members_learn_and_their_probabilities_sum_to_one(runs, name):
    check_member(runs, name)


def check_member(runs, name):
    scores = read(runs / "single" / name / "validate.weights.json")
    with np.load(runs / "single" / name / "validate.probabilities.npz") as kept:
        probabilities = kept["probabilities"]
        truth = np.unpackbits(kept["truth"], axis=1, count=12).astype(bool)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    best = np.argsort(-probabilities, axis=1)
    hits = np.take_along_axis(truth, best, axis=1)
    first, five = hits[:, 0].mean(), hits[:, :5].any(axis=1).mean()
    assert scores["top1"] == pytest.approx(first)
    assert scores["top5"] == pytest.approx(five)
    assert scores["mean_error"] == pytest.approx(1 - (first + five) / 2)
    often = truth.sum(axis=0)
    assert first > 1.5 * often.max() / len(truth)  # than the most frequent class


def test_the_graph_has_the_scores_of_its_members_blend(runs):
    blend, graph = (read(runs / "single/blend" / name) for name in ("ensemble.json", "validate.graph.json"))
    for key in ("top1", "top5", "mean_error"):
        assert graph[key] == pytest.approx(blend[key], abs=0.04)  # uint8 weights may turn two of 60 videos
    members = [read(runs / "single" / name / "validate.weights.json") for name in ("logistic", "moe")]
    found = min(point["mean_error"] for point in blend["curve"])
    assert found <= min(member["mean_error"] for member in members) + 1e-6
    assert set(blend["held_out_error"]) == {"searched", "equal"}


def test_the_board_counts_errors_of_the_csv(runs, data):
    truth = {row["VideoId"]: row["Labels"] for row in table(data / "test_truth.csv")}
    rows = table(runs / "single/blend/submission.csv")
    labels = {row["VideoId"]: row["LabelConfidencePairs"].split()[::2] for row in rows}
    board = read(runs / "single/blend/score.json")
    for count, key in ((1, "top1_all"), (5, "top5_all")):
        found = sum(truth[video] in best[:count] for video, best in labels.items())
        assert board[key] == pytest.approx(found / len(truth))
    assert {"all", "public", "private", "mean_error_public", "mean_error_private"} <= set(board)


def test_the_report_has_columns_for_them(runs, data, capsys):
    assert main(["report", "single", "--json", f"--data={data}", f"--runs={runs}"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() == {"logistic", "moe", "blend"}
    scores = read(runs / "single/blend/validate.graph.json")
    assert rows["blend"]["top-1"] == scores["top1"]
    assert rows["blend"]["mean error"] == scores["mean_error"]
    assert rows["blend"]["board error public"] == read(runs / "single/blend/score.json")["mean_error_public"]


def test_weights_of_the_other_kind_are_stale(runs, data, tmp_path, monkeypatch, capsys):
    shutil.copytree(RECIPES, tmp_path / "recipes")
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path / "recipes"))
    recipe = tmp_path / "recipes/single.py"
    text = recipe.read_text(encoding="utf-8").replace(", single_label=True", "")
    recipe.write_text(text.replace(", label_smoothing=0.1", ""), encoding="utf-8")
    for verb in ("train", "evaluate", "export"):
        where = [f"--runs={runs}", *([f"--data={data}"] if verb != "export" else [])]
        assert main([verb, "single", "moe", *where]) == 2
        assert "single_label was True, is now not set" in capsys.readouterr().err


def test_the_card_says_that_a_video_has_one_label(runs, capsys):
    pytest.importorskip("jinja2")
    assert main(["card", "single", "blend", f"--runs={runs}"]) == 0
    card = Path(capsys.readouterr().out.splitlines()[-1]).read_text(encoding="utf-8")
    assert "- single-label-classification" in card
    assert "12 labels, of which a video has one." in card
    scores, board = (read(runs / "single/blend" / name) for name in ("validate.graph.json", "score.json"))
    head = "| on | videos | GAP@20 | mAP | Hit@1 | PERR | top-1 | top-5 | mean error |"
    assert head in card
    assert f"| {scores['top1']:.4f} | {scores['top5']:.4f} | {scores['mean_error']:.4f} |" in card
    assert f"| {board['top1_public']:.4f} | {board['top5_public']:.4f} |" in card


@pytest.mark.long
def test_mixup_soft_labels_ema_and_the_mixture_of_branches_go_on_working(data, runs):
    experiment = Experiment(recipes.load("single"), data, runs)
    run(experiment, ("all",), ("evaluate", "submit"), lambda todo: InThisProcess())
    for name in ("mixed", "student"):
        check_member(runs, name)
    assert read(runs / "single/student/average.json")["kept"] == "EMA 1/4"
    assert read(runs / "single/all/score.json")["mean_error_all"] < 0.5


FAKES = Path(__file__).parents[1] / "fakes"
FORMATS = {
    "tgz": ("starter_loader.py", "graph.tgz", "tensorflow", 1e-5),
    "litert": ("litert_phone.py", "graph.tflite", "ai_edge_litert", 2e-3),  # scales by column, not by tensor
    "onnx": ("onnx_reader.py", "graph.onnx", "tf2onnx", 1e-5),
}


@pytest.mark.long
@pytest.mark.parametrize("form", FORMATS)
def test_every_export_has_the_graphs_softmax(form, data, dataset, runs, tmp_path):
    reader, file, package, tolerance = FORMATS[form]
    pytest.importorskip(package)
    assert main(["export", "single", "blend", f"--format={form}", f"--data={data}", f"--runs={runs}"]) == 0
    shard = splits.find(data, "validate")[0]
    batch = next(read_batches([shard], dataset, 40))
    np.savez(tmp_path / "videos.npz", frames=batch.frames, num_frames=batch.num_frames)
    source = shard if form == "tgz" else tmp_path / "videos.npz"
    words = [sys.executable, FAKES / reader, runs / "single/blend" / file, source, tmp_path / "out.npz"]
    subprocess.run(words, env=os.environ | {"PYTHONPATH": ""}, cwd=tmp_path, check=True)
    with np.load(tmp_path / "out.npz") as found:
        probabilities = found["probabilities"]
    graph = tf.saved_model.load(str(runs / "single/blend/graph")).signatures["serving_default"]
    inputs = {"frames": tf.constant(batch.frames), "num_frames": tf.constant(batch.num_frames)}
    expected = graph(**inputs)["probabilities"].numpy()
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(probabilities, expected, atol=tolerance)
