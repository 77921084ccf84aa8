"""Soft labels: storage, mixing with the truth, and order of teachers and students."""

import json
import shutil

import numpy as np
import pytest

from tests.support.recipes import RECIPES
from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.data.reading.soft_labels import SoftLabels, side_file
from yt8m_kit.dataset import DEMO
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.run import Experiment

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture(scope="module")
def taught(tiny_data, tiny_runs, tmp_path_factory):
    """Runs with soft labels of the logistic member, the top 10 of each video."""
    runs = tmp_path_factory.mktemp("taught") / "runs"
    shutil.copytree(tiny_runs, runs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        assert main(["export", "tiny", "logistic", f"--runs={runs}"]) == 0
        words = ["distill", "tiny", "logistic", "--top=10", f"--data={tiny_data.path}", f"--runs={runs}"]
        assert main(words) == 0
    return runs


def test_reader_mixes_soft_labels_with_the_truth(tiny_data, taught):
    """The target: lambda * (the teacher's ten best, zero elsewhere) + (1 - lambda) * truth, to float16."""
    paths = splits.find(tiny_data.path, "train")
    graph = load_graph(taught / "tiny/logistic/graph", "serving_default")
    soft = SoftLabels(taught / "tiny/logistic/soft_labels", 0.25)
    plain = list(read_batches(paths, DEMO, 16, seed=3))
    mixed = list(read_batches(paths, DEMO, 16, seed=3, soft_labels=soft))
    assert [batch.ids for batch in plain] == [batch.ids for batch in mixed]
    for one, other in zip(plain, mixed):
        teacher = graph(one)["probabilities"]
        below = np.sort(teacher, axis=1)[:, -10][:, None]
        expected = 0.25 * np.where(teacher >= below, teacher, 0) + 0.75 * one.labels
        np.testing.assert_allclose(other.labels, expected, atol=1e-3)
        np.testing.assert_array_equal(one.frames, other.frames)


def test_side_file_size(tiny_data, taught):
    shard = splits.find(tiny_data.path, "train")[0]
    side = side_file(taught / "tiny/logistic/soft_labels", shard)
    videos = splits.count([shard])
    assert side.stat().st_size < videos * (10 * 4 + 4 * 4) + 1500


def test_other_top_is_a_usage_error_and_the_same_does_nothing(tiny_data, taught, capsys):
    words = ["distill", "tiny", "logistic", f"--data={tiny_data.path}", f"--runs={taught}"]
    assert main([*words, "--top=10"]) == 0
    for other in (["--top=20"], []):  # the default: 100, or all 50 classes
        assert main([*words, *other]) == 2
        assert "top was 10, is now" in capsys.readouterr().err
    assert main([*words, "--top=51"]) == 2
    assert "--top must lie between 1 and the 50 classes; got 51" in capsys.readouterr().err


def test_student_trains_and_needs_its_teachers_soft_labels(tiny_data, taught, tmp_path, capsys):
    places = [f"--data={tiny_data.path}", f"--runs={taught}"]
    assert main(["train", "tiny", "student", *places]) == 0
    rows = [json.loads(line) for line in (taught / "tiny/student/metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] > 0
    assert main(["train", "tiny", "student", f"--data={tiny_data.path}", f"--runs={tmp_path}"]) == 2
    assert "run: yt8m distill tiny logistic" in capsys.readouterr().err


def test_video_without_soft_labels_is_an_error(tiny_data, tmp_path):
    for shard in splits.find(tiny_data.path, "train"):
        soft_labels.write(side_file(tmp_path, shard), ["other"], np.zeros((1, 2), int), np.zeros((1, 2)))
    found = read_batches(
        splits.find(tiny_data.path, "train"), DEMO, 16, soft_labels=SoftLabels(tmp_path, 0.5)
    )
    with pytest.raises(DataError, match="the teacher has no soft labels for video"):
        next(found)
    with pytest.raises(KitError, match="is damaged"):
        SoftLabels(tmp_path, 0.5).of([tmp_path / "missing.tfrecord"])


def chain():
    """Two levels: a student of an ensemble, and a student of the student."""
    members = {
        "a": Member("frame_logistic", steps=1),
        "b": Member("frame_logistic", steps=1),
        "first": Member("frame_logistic", teacher="both", steps=1),
        "second": Member("frame_logistic", teacher="first", steps=1),
    }
    return Recipe("r", "d", DEMO, members, {"both": Ensemble(("a", "b"))})


def stages(tmp_path, name):
    known = Stages(Experiment(chain(), tmp_path, tmp_path))
    return known.leading_to([known.graph_scores(name), known.submit(name)])


def test_stages_follow_their_needs(tmp_path):
    found = [" ".join(stage.words) for stage in stages(tmp_path, "second")]
    order = ["train r a", "train r b", "ensemble r both", "export r both", "distill r both", "train r first"]
    order += ["export r first", "distill r first", "train r second", "export r second", "predict r second"]
    assert [found.index(each) for each in order] == sorted(found.index(each) for each in order)
    assert len(found) == len(set(found))
    made: set[object] = set()
    for stage in stages(tmp_path, "second"):
        assert {need.main for need in stage.needs} <= made, "needs come first"
        made.add(stage.main)


def test_cycle_of_teachers_is_a_usage_error():
    members = {
        "a": Member("frame_logistic", steps=1, teacher="b"),
        "b": Member("frame_logistic", steps=1, teacher="a"),
    }
    with pytest.raises(UsageError, match="the teachers or initial weights of a form a cycle: a <- b <- a"):
        Recipe("r", "d", DEMO, members)
    with pytest.raises(UsageError, match="no ensemble or member 'c'"):
        Recipe("r", "d", DEMO, {"a": Member("frame_logistic", steps=1, teacher="c")})


def test_the_verb_prints_stages_in_order(capsys):
    assert main(["stages", "tiny", "student", "--runs=R"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["train tiny logistic", "average tiny logistic"]
