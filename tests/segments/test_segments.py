"""The task of 2019: splitting, ratings, ranking and scoring, against simple versions of the starter code."""

import json
import random
import shutil

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.cli.main import main
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.loader.splits import find
from yt8m_kit.dataset import DEMO, Dataset
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.inference.predictor import predictor
from yt8m_kit.recipe import load
from yt8m_kit.segments import ranking
from yt8m_kit.segments.ranking import Ranking, rank
from yt8m_kit.segments.records import read_ratings, segment_batches
from yt8m_kit.segments.scoring import average_precision, score, write_csv

SMALL = Dataset("small", (("rgb", 7), ("audio", 3)), classes=10, max_frames=6)


def record(video, count, rated=(), dataset=SMALL, **lists):
    """A record of 2019 by protobuf. rated: (start, label, score) each; lists: replacements of the four."""
    rng = np.random.default_rng(sum(video.encode()))
    built = tf.train.SequenceExample()
    context = built.context.feature
    context["id"].bytes_list.value.append(video.encode())
    context["labels"].int64_list.value.extend([1, 2])
    values = {
        "segment_start_times": [start for start, _, _ in rated],
        "segment_end_times": [start + 5 for start, _, _ in rated],
        "segment_labels": [label for _, label, _ in rated],
        "segment_scores": [float(true) for _, _, true in rated],
    } | lists
    if rated:
        for key, numbers in values.items():
            kind = "float_list" if key == "segment_scores" else "int64_list"
            getattr(context[key], kind).value.extend(numbers)
    for name, width in dataset.features:
        for frame in rng.integers(0, 256, (count, width), np.uint8):
            feature = built.feature_lists.feature_list[name].feature.add()
            feature.bytes_list.value.append(frame.tobytes())
    return built.SerializeToString()


def write(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tfrecord.writing(path) as add:
        for each in records:
            add(each)
    return path


# Reading


def test_ratings_are_read_by_segment_and_label(tmp_path):
    one = write(
        tmp_path / "validate0000.tfrecord",
        [record("aaaa", 20, [(0, 3, 1), (15, 3, 0), (15, 9, 1)]), record("bbbb", 5)],
    )
    two = write(tmp_path / "validate0001.tfrecord", [record("cccc", 9, [(5, 0, 1)])])
    faults = Faults()
    assert read_ratings([one, two], SMALL, faults) == {
        ("aaaa:0", 3): True,
        ("aaaa:15", 3): False,
        ("aaaa:15", 9): True,
        ("cccc:5", 0): True,
    }
    assert not faults


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"segment_labels": [3]}, "segment_start_times has 2 values, segment_labels 1, segment_scores 2"),
        ({"segment_labels": [3, 10]}, "segment_labels holds 10; expected 0 to 9"),
        ({"segment_scores": [1.0, float("nan")]}, "segment_scores holds a value that is not finite"),
    ],
)
def test_invalid_ratings_are_skipped_and_named(tmp_path, lists, said):
    rated = [(0, 3, 1), (5, 3, 0)]
    path = write(tmp_path / "x.tfrecord", [record("aaaa", 9, rated, **lists), record("bbbb", 9, rated)])
    faults = Faults()
    assert set(read_ratings([path], SMALL, faults)) == {("bbbb:0", 3), ("bbbb:5", 3)}
    assert f"record 0: {said}" in faults.summary()
    with pytest.raises(DataError, match="record 0"):
        read_ratings([path], SMALL, faults, strict=True)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_videos_are_split_into_segments_of_five_frames(tmp_path, size):
    lengths = {"aaaa": 12, "bbbb": 5, "cccc": 1, "dddd": 300, "eeee": 312}
    path = write(tmp_path / "x.tfrecord", [record(video, count) for video, count in lengths.items()])
    ids, counts, sizes = [], [], []
    for batch in segment_batches([path], SMALL, size):
        assert batch.frames.shape == (len(batch.ids), 6, 10)
        for row, (key, count) in enumerate(zip(batch.ids, batch.num_frames)):
            video, _, start = key.rpartition(":")
            rng = np.random.default_rng(sum(video.encode()))
            rgb = rng.integers(0, 256, (lengths[video], 7), np.uint8)
            np.testing.assert_array_equal(batch.frames[row, :count, :7], rgb[int(start) : int(start) + count])
            assert not batch.frames[row, count:].any(), "padding is zero"
        ids += batch.ids
        counts += batch.num_frames.tolist()
        sizes.append(len(batch.ids))
    expected = [f"{v}:{start}" for v, n in lengths.items() for start in range(0, min(n, 300), 5)]
    assert ids == expected
    assert counts == [5, 5, 2, 5, 1] + [5] * 120
    assert set(sizes[:-1]) <= {size}


def test_a_bad_record_is_skipped(tmp_path):
    path = write(tmp_path / "x.tfrecord", [record("aaaa", 7), b"no record", record("bbbb", 3)])
    faults = Faults()
    ids = [key for batch in segment_batches([path], SMALL, 4, faults=faults) for key in batch.ids]
    assert ids == ["aaaa:0", "aaaa:5", "bbbb:0"]
    assert len(faults) == 1
    with pytest.raises(DataError, match="record 1"):
        list(segment_batches([path], SMALL, 4, strict=True))


def test_a_data_set_of_four_frames_is_refused(tmp_path):
    with pytest.raises(UsageError, match="a segment has 5 frames; few has max_frames=4"):
        segment_batches([tmp_path], Dataset("few", SMALL.features, 10, max_frames=4), 8)


# Ranking


@pytest.mark.parametrize("best", [1, 7, 100, 5000])
@pytest.mark.parametrize("levels", [4, 1_000_000])
def test_the_ranking_is_a_truncated_stable_sort(best, levels):
    rng = np.random.default_rng(best)
    scores = (rng.integers(0, levels, (3000, 6)) / levels).astype(np.float32)
    ranked = Ranking(6, best)
    for part in np.split(scores, [100, 101, 1500, 2999]):
        ranked.add(part)
    for column in range(6):
        expected = np.argsort(-scores[:, column], kind="stable")[:best]
        np.testing.assert_array_equal(ranked.of(column), expected)


def test_rank_selects_the_given_classes(monkeypatch):
    monkeypatch.setattr(ranking, "_BLOCK", 5)
    rng = np.random.default_rng(0)
    scores = rng.random((40, 8)).astype(np.float32)
    chunks = iter(np.split(scores, 20))
    nothing = np.zeros(0, np.uint8)
    batches = (Batch(nothing, nothing, nothing, [f"v:{n}", f"w:{n}"], Position()) for n in range(20))
    ids, ranked = rank(lambda batch: next(chunks), batches, [1, 6], "test", best=9)
    assert ids == [f"{v}:{n}" for n in range(20) for v in "vw"]
    assert list(ranked) == [1, 6]
    for label, numbers in ranked.items():
        np.testing.assert_array_equal(numbers, np.argsort(-scores[:, label], kind="stable")[:9])


# Scoring


def map_by_hand(lines, ratings, best):
    """The starter's evaluation in plain Python: truncate, keep rated segments, sum precisions at the hits."""
    total = []
    for label, listed in lines.items():
        kept = [segment for segment in listed[:best] if (segment, label) in ratings]
        positives = sum(true for (_, other), true in ratings.items() if other == label)
        found, precision = 0, 0.0
        for rank_, segment in enumerate(kept, 1):
            if ratings[segment, label]:
                found += 1
                precision += found / rank_ / positives
        total.append(precision)
    return sum(total) / len(total)


@pytest.mark.parametrize("best", [3, 10, 1000])
def test_map_equals_the_starters(tmp_path, best):
    rng = random.Random(best)
    names = [f"v{number:02d}:{start}" for number in range(12) for start in (0, 5, 10)]
    lines = {label: rng.sample(names, rng.randrange(5, 36)) for label in (2, 5, 7)}
    ratings = {(name, label): rng.random() < 0.4 for label in lines for name in rng.sample(names, 20)}
    path = tmp_path / "segments.csv"
    numbers = {label: np.array([names.index(name) for name in listed]) for label, listed in lines.items()}
    write_csv(path, names, numbers)
    assert path.read_text().splitlines()[:2] == ["Class,Segments", f"2,{' '.join(lines[2])}"]
    figures = score(path, ratings, best)
    assert figures["map"] == pytest.approx(map_by_hand(lines, ratings, best))
    assert figures["classes"] == 3
    assert figures["ratings"] == len(ratings)


def test_average_precision_of_known_rankings(tmp_path):
    assert average_precision(np.array([True, True, False]), 2) == 1
    assert average_precision(np.array([False, True]), 1) == 0.5
    assert average_precision(np.array([True]), 4) == 0.25
    assert average_precision(np.array([], bool), 4) == 0


def test_classes_without_a_positive_are_ignored(tmp_path):
    path = tmp_path / "segments.csv"
    write_csv(path, ["a:0", "a:5"], {1: np.array([0, 1]), 2: np.array([1, 0])})
    assert score(path, {("a:0", 1): True, ("a:0", 2): False})["classes"] == 1
    with pytest.raises(KitError, match="none of its classes has a positive rating"):
        score(path, {("a:0", 2): False})
    path.write_text("VideoId,LabelConfidencePairs\n")
    with pytest.raises(KitError, match="line 1 must be 'Class,Segments'"):
        score(path, {("a:0", 1): True})


# The verb


@pytest.fixture
def rated(tmp_path):
    """Eleven videos of 2019 with the features of the tiny recipe and ratings of three classes."""
    rng = random.Random(4)
    records = []
    for number in range(11):
        count = rng.randrange(3, 33)
        starts = range(0, count - 4, 5)
        ratings = [
            (s, label, rng.random() < 0.5) for s in starts for label in (4, 17, 30) if rng.random() < 0.6
        ]
        records.append(record(f"v{number:03d}", count, ratings, DEMO))
    write(tmp_path / "data/3/frame/validate/validate0000.tfrecord", records[:6])
    write(tmp_path / "data/3/frame/validate/validate0001.tfrecord", records[6:])
    return tmp_path / "data"


@pytest.mark.usefixtures("tiny_recipes")
def test_segments_are_predicted_and_scored(rated, tiny_runs, tmp_path, capsys):
    runs = shutil.copytree(tiny_runs, tmp_path / "runs")
    words = ["segments", "tiny", "logistic", f"--data={rated}", f"--runs={runs}"]
    assert main(words) == 0
    scores = runs / "tiny/logistic/validate.segments.json"
    csv = runs / "tiny/logistic/segments.validate.csv"
    assert capsys.readouterr().out == f"{csv}\n"
    lines = csv.read_text().splitlines()
    assert lines[0] == "Class,Segments"
    listed = {int(line.partition(",")[0]): line.partition(",")[2].split(" ") for line in lines[1:]}
    assert list(listed) == [4, 17, 30], "the rated classes"
    ratings = read_ratings(find(rated, "validate"), DEMO, Faults())
    figures = json.loads(scores.read_text())
    assert figures["map"] == pytest.approx(map_by_hand(listed, ratings, 10**6))

    recipe = load("tiny")
    model = load_weights(
        model_of(recipe.member("logistic"), DEMO), runs / "tiny/logistic/averaged.weights.h5"
    )
    expected, names = [], []
    for batch in segment_batches(find(rated, "validate"), DEMO, 7):
        expected.append(predictor(model)(batch))
        names += batch.ids
    confidences = np.concatenate(expected)
    for label, order in listed.items():
        assert sorted(order) == sorted(names)
        ranked = confidences[[names.index(name) for name in order], label]
        assert (np.diff(ranked) <= 1e-6).all()

    before = scores.stat().st_mtime_ns
    assert main(words) == 0
    assert scores.stat().st_mtime_ns == before


@pytest.mark.usefixtures("tiny_recipes")
def test_the_exported_graph_and_the_vocabulary_take_precedence(rated, tiny_runs, tmp_path):
    runs = shutil.copytree(tiny_runs, tmp_path / "runs")
    (rated / "vocabulary.csv").write_text("Index,Name\n17,one\n3,other\n")
    assert main(["export", "tiny", "blend", f"--runs={runs}"]) == 0
    assert main(["segments", "tiny", "blend", f"--data={rated}", f"--runs={runs}"]) == 0
    lines = (runs / "tiny/blend/segments.validate.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["Class", "3", "17"]


@pytest.mark.usefixtures("tiny_recipes")
def test_an_unrated_split_needs_a_vocabulary(tiny_runs, tmp_path, capsys):
    runs = shutil.copytree(tiny_runs, tmp_path / "runs")
    data = tmp_path / "data"
    write(data / "3/frame/test/test0000.tfrecord", [record("aaaa", 8, dataset=DEMO)])
    words = ["segments", "tiny", "logistic", "--split=test", f"--data={data}", f"--runs={runs}"]
    assert main(words) == 2
    assert "`yt8m download vocabulary --version=3" in capsys.readouterr().err
    (data / "vocabulary.csv").write_text("Index,Name\n5,five\n60,sixty\n")
    assert main(words) == 1
    assert "has class 60; the data set has 50 classes" in capsys.readouterr().err
    (data / "vocabulary.csv").write_text("Index,Name\n5,five\n")
    assert main(words) == 0
    csv = runs / "tiny/logistic/segments.test.csv"
    assert capsys.readouterr().out == f"{csv}\n"
    assert sorted(csv.read_text().splitlines()[1].split(",")[1].split(" ")) == ["aaaa:0", "aaaa:5"]


@pytest.mark.usefixtures("tiny_recipes")
def test_a_missing_stage_is_named(rated, tmp_path, capsys):
    for name, verb in (("logistic", "average"), ("blend", "export")):
        assert main(["segments", "tiny", name, f"--data={rated}", f"--runs={tmp_path}"]) == 2
        assert f"run: yt8m {verb} tiny {name}" in capsys.readouterr().err
