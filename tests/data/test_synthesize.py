"""The synthesized data set: its format, its statistics, and the difference between families on it."""

import csv
import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.data.format.feature_quantization import quantize
from yt8m_kit.data.loader import splits as records
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.synthesize import draw_frames, draw_labels, make_world, synthesize
from yt8m_kit.dataset import DEMO
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.member_model import model_of
from yt8m_kit.inference.predictor import predictor
from yt8m_kit.metrics import gap_at_20
from yt8m_kit.recipe import Member
from yt8m_kit.training.batch_norm import reestimate
from yt8m_kit.training.input_pipeline import statistics_batches
from yt8m_kit.training.optimizer import loss_of, optimizer_of
from yt8m_kit.training.steps import make_step


def read(path, split, dataset=DEMO):
    """Read all videos of a split as one batch."""
    return next(read_batches(records.find(path, split), dataset, 10_000))


# Format


def test_files_of_a_data_set(tiny_data):
    splits = [f"{split}000{shard}.tfrecord" for split in ("test", "train", "validate") for shard in (0, 1)]
    assert sorted(path.name for path in tiny_data.path.iterdir()) == sorted(
        [*splits, "manifest.json", "test_truth.csv", "test_truth.csv.sha256"]
    )
    counts = [records.count(records.find(tiny_data.path, split)) for split in ("train", "validate", "test")]
    assert counts == [60, 40, 40]


def test_keys_are_those_of_the_real_data(tiny_data):
    (first, *_) = tf.data.TFRecordDataset(str(records.find(tiny_data.path, "train")[0])).take(1)
    built = tf.train.SequenceExample.FromString(first.numpy())
    assert set(built.context.feature) == {"id", "labels"}
    assert set(built.feature_lists.feature_list) == {"rgb", "audio"}
    assert len(built.feature_lists.feature_list["rgb"].feature[0].bytes_list.value[0]) == 1024
    assert len(built.feature_lists.feature_list["audio"].feature[0].bytes_list.value[0]) == 128


def test_ids_are_unique_and_have_four_characters(tiny_data):
    ids = [
        identity for split in ("train", "validate", "test") for identity in read(tiny_data.path, split).ids
    ]
    assert len(set(ids)) == 140
    assert all(len(identity) == 4 and identity.isalnum() for identity in ids)


def test_labels_of_the_test_split_are_in_a_file_of_their_own(tiny_data):
    batch = read(tiny_data.path, "test")
    assert not batch.labels.any()
    with (tiny_data.path / "test_truth.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["VideoId"] for row in rows] == batch.ids
    for row in rows:
        labels = [int(label) for label in row["Labels"].split(" ")]
        assert labels == sorted(set(labels))
        assert all(0 <= label < DEMO.classes for label in labels)


def test_quantization_follows_the_published_formula():
    # As the released features were made: clip to [-2, 2], round((x + 2) * 255 / 4)
    floats = np.array([-3, -2, 0, 1.9999, 2, 3, 4 / 255 - 2])
    np.testing.assert_array_equal(quantize(floats), [0, 0, 128, 255, 255, 255, 1])


def test_video_level_records_are_the_means_of_the_frames(tmp_path, tiny_data):
    synthesize(tmp_path, train=60, validate=40, test=40, shards=2, level="video")
    frames, videos = read(tiny_data.path, "train"), read(tmp_path, "train")
    assert videos.num_frames.tolist() == [1] * 60
    np.testing.assert_array_equal(videos.labels, frames.labels)
    whole = frames.num_frames < DEMO.max_frames  # the others were cut
    codes = frames.frames[whole].sum(axis=1) / frames.num_frames[whole, np.newaxis]
    assert np.abs(videos.frames[whole, 0] - codes).max() <= 0.5 + 1e-3


# Repetition


def test_the_same_call_does_nothing(tmp_path):
    sizes: dict[str, Any] = {"train": 3, "validate": 2, "test": 2, "shards": 1}
    synthesize(tmp_path, **sizes)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    synthesize(tmp_path, **sizes)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_a_set_with_other_settings_is_refused(tmp_path):
    sizes: dict[str, Any] = {"train": 3, "validate": 2, "test": 2, "shards": 1}
    synthesize(tmp_path, **sizes)
    with pytest.raises(UsageError, match="seed=0, not 7"):
        synthesize(tmp_path, **sizes, seed=7)


def test_it_says_what_is_made_and_what_is_there(tmp_path, capsys):
    for _ in range(2):
        synthesize(tmp_path, train=3, validate=2, test=2, shards=1)
    first, *_, done, again = capsys.readouterr().err.splitlines()
    assert first == f"synthesize {tmp_path}: 7 videos"
    assert done == f"synthesize {tmp_path}: done in 00:00, 7 videos in {tmp_path}"
    assert again == f"up to date: {tmp_path}"


def test_an_interrupted_set_is_written_again(tmp_path, monkeypatch):
    sizes: dict[str, Any] = {"train": 6, "validate": 2, "test": 2, "shards": 3}

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("yt8m_kit.data.synthesize.write_with_checksum", interrupt)
        with pytest.raises(KeyboardInterrupt):
            synthesize(tmp_path, **sizes)
    assert not (tmp_path / "manifest.json").exists()
    synthesize(tmp_path, **(sizes | {"shards": 1}))
    assert [path.name for path in records.find(tmp_path, "train")] == ["train0000.tfrecord"]
    assert json.loads((tmp_path / "manifest.json").read_text())["shards"] == 1


def test_other_shards_are_not_overwritten(tmp_path):
    (tmp_path / "train0000.tfrecord").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"train0000.tfrecord was not synthesized: choose another folder"):
        synthesize(tmp_path, train=3, validate=2, test=2)
    assert (tmp_path / "train0000.tfrecord").read_bytes() == b"precious"


def test_the_seed_determines_the_set(tmp_path, tiny_data):
    synthesize(tmp_path / "same", train=60, validate=1, test=1, shards=3)
    synthesize(tmp_path / "other", train=60, validate=1, test=1, shards=3, seed=1)
    np.testing.assert_array_equal(
        read(tmp_path / "same", "train").frames, read(tiny_data.path, "train").frames
    )
    assert (read(tmp_path / "other", "train").labels != read(tiny_data.path, "train").labels).any()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train": 0}, "train must be at least 1; got 0"),
        ({"shards": 0}, "shards must be at least 1; got 0"),
        ({"level": "segment"}, "level must be frame or video; got segment"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path, settings, said):
    with pytest.raises(UsageError, match=said):
        synthesize(tmp_path / "set", **settings)
    assert not (tmp_path / "set").exists()


# Statistics; those of the real labels are from the published vocabulary file


def test_label_frequencies_match_the_real_ones():
    world = make_world(3862, 1, seed=0)
    rng = np.random.default_rng(0)
    drawn = [draw_labels(world, rng) for _ in range(4000)]
    counts = np.bincount(np.concatenate(drawn), minlength=3862)
    # Game, the most frequent one, is on 20 % of the videos, the tenth on 4.0 %, the hundredth on 0.38 %.
    assert 0.14 < counts[0] / 4000 < 0.26
    assert 0.02 < counts[5:15].mean() / 4000 < 0.08
    assert 0.0015 < counts[50:150].mean() / 4000 < 0.008
    share = np.bincount([len(labels) for labels in drawn], minlength=8) / 4000
    np.testing.assert_allclose(share[1:6], [0.25, 0.23, 0.19, 0.16, 0.09], atol=0.025)


def test_labels_of_a_topic_co_occur():
    world = make_world(50, 1, seed=0)
    rng = np.random.default_rng(0)
    has = np.zeros((4000, 50))
    for row in has:
        row[draw_labels(world, rng)] = 1
    lift = (has.T @ has / 4000) / np.outer(has.mean(axis=0), has.mean(axis=0))
    same = np.equal.outer(world.topic_of, world.topic_of) & ~np.eye(50, dtype=bool)
    assert np.median(lift[same]) > 2
    assert np.median(lift[~same & ~np.eye(50, dtype=bool)]) < 1


def test_frame_statistics_match_the_real_ones():
    world = make_world(DEMO.classes, DEMO.width, seed=0)
    rng = np.random.default_rng(0)
    videos = [draw_frames(world, draw_labels(world, rng), rng) for _ in range(200)]
    lengths = [len(frames) for frames in videos]
    assert min(lengths) < DEMO.max_frames < max(lengths)
    # About the means of videos, pooled, with the degree of freedom that a mean takes.
    squares = sum(((frames - frames.mean(axis=0)) ** 2).sum() for frames in videos)
    within = (squares / sum(length - 1 for length in lengths) / DEMO.width) ** 0.5
    assert 0.65 < within < 0.95
    means = np.array([frames.mean(axis=0) for frames in videos])
    assert 0.2 < means.std(axis=0).mean() < 0.4
    # Around the true mean of the noise, 0: around that of a short video it would come out lower.
    lag = sum((frames[1:] * frames[:-1]).sum() for frames in videos)
    none = sum((frames[1:] * frames[1:]).sum() for frames in videos)
    assert 0.4 < lag / none < 0.65


# Difference between families


def score(member, data, truth):
    """GAP@20 of a member on the validation split after its steps."""
    model = model_of(member, DEMO)
    optimizer = optimizer_of(member, member.learning_rate)
    optimizer.build(model.trainable_variables)
    step, *_ = make_step(model, optimizer, loss_of(member, DEMO))
    paths = records.find(data, "train")
    for _, batch in zip(range(member.steps), statistics_batches(member, DEMO, paths)):
        step(batch)
    reestimate(model, statistics_batches(member, DEMO, paths), member.statistics_batches)
    found = [predictor(model)(b) for b in read_batches(records.find(data, "validate"), DEMO, 200)]
    return gap_at_20(np.concatenate(found), truth)


AVERAGE = Member("frame_logistic", batch_size=64, steps=120, learning_rate=1e-2)
POOLED = Member(
    "netvlad",
    {"clusters": 16, "hidden": 256, "draws": 32, "probability_gate": False},
    batch_size=64,
    steps=160,
    learning_rate=2e-3,
    statistics_batches=20,
)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_frame_level_pooling_beats_the_average(tmp_path, seed):
    synthesize(tmp_path, train=2000, validate=600, test=1, seed=seed)
    train, validate = read(tmp_path, "train"), read(tmp_path, "validate")
    chance = gap_at_20(np.repeat(train.labels.mean(axis=0, keepdims=True), 600, axis=0), validate.labels)
    average = score(AVERAGE, tmp_path, validate.labels)
    pooled = score(POOLED, tmp_path, validate.labels)
    assert average > chance + 0.15, (chance, average, pooled)
    assert pooled > average + 0.2, (chance, average, pooled)


def test_the_vocabulary_size_is_a_parameter(tmp_path):
    synthesize(tmp_path, train=5, validate=2, test=2, classes=3862, shards=1)
    batch = read(tmp_path, "train", dataclasses.replace(DEMO, classes=3862))
    assert batch.labels.shape == (5, 3862)
    assert (batch.labels.sum(axis=1) >= 1).all()
