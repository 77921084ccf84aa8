"""A split is refused for errors and for copies of shards; its statistics and warnings are printed."""

import os
import shutil
import time

import numpy as np
import pytest

from tests.support.small_shards import SMALL, five_shards, video, write
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.format.tfrecord import writing
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.validation import check
from yt8m_kit.data.validation.anomalies import Use
from yt8m_kit.data.validation.check import check_sample, copy_errors
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError

TRAIN, TEST = Use(labels=True, unique=False), Use(labels=False, unique=True)


@pytest.fixture
def shards(tmp_path):
    return five_shards(tmp_path)


def labelled(path, labels, identity=lambda number: f"v{number}"):
    """A shard of videos with these labels each."""
    with writing(path) as add:
        for number, each in enumerate(labels):
            add(sequence_example(identity(number), each, video(number)[2]))


# Copies


def test_different_shards_are_no_copies(shards):
    assert copy_errors(shards) == []


@pytest.mark.parametrize(
    "name",
    [
        "train0001 (1).tfrecord",
        "train0001 (12).tfrecord",
        "train0001 - Copy.tfrecord",
        "train0001 copy.tfrecord",
        "train0001 copy 2.tfrecord",
    ],
)
def test_names_of_copies_are_recognised_whatever_they_hold(shards, name):
    """A download that was cut off has other bytes."""
    copied = shards[1].with_name(name)
    write(copied, range(90, 92))
    [error] = copy_errors(sorted([*shards, copied]))
    assert error == (f"{copied} is a copy of train0001.tfrecord: move it away, or its videos count twice")


def test_a_name_like_that_of_a_copy_is_valid_without_its_original(shards):
    alone = shards[1].with_name("recital (1).tfrecord")
    write(alone, range(90, 92))
    assert copy_errors([*shards, alone]) == []


@pytest.mark.parametrize("name", ["train0007.tfrecord", "a-very-long-name.tfrecord"])
def test_renamed_copies_are_recognised_by_their_bytes(shards, name):
    copied = shards[1].with_name(name)
    shutil.copy(shards[1], copied)
    [error] = copy_errors(sorted([*shards, copied]))
    assert error.startswith(f"{copied} is a copy of train0001.tfrecord:")


def test_several_copies_are_counted(shards):
    copied = [shards[1].with_name(f"train000{number}.tfrecord") for number in (7, 8, 9)]
    for path in copied:
        shutil.copy(shards[1], path)
    [error] = copy_errors([*shards, *copied])
    assert "train0001.tfrecord (and 2 more): move" in error


def test_shards_of_one_size_and_different_bytes_are_no_copies(tmp_path):
    """Of one video each, which differ in their ids."""
    for number in range(3):
        labelled(tmp_path / f"train{number}.tfrecord", [[1]], lambda _, number=number: f"v{number}")
    paths = sorted(tmp_path.iterdir())
    assert len({path.stat().st_size for path in paths}) == 1
    assert copy_errors(paths) == []


def test_a_copy_ends_the_check_before_records_are_read(shards, capsys):
    shutil.copy(shards[1], shards[1].with_name("train0009.tfrecord"))
    with pytest.raises(DataError, match=r"train0009\.tfrecord is a copy of train0001\.tfrecord"):
        check_sample([*shards, shards[1].with_name("train0009.tfrecord")], SMALL, "train", TRAIN)
    assert not capsys.readouterr().err


# Errors, warnings and statistics


def test_statistics_of_a_good_split_are_printed_without_a_warning(shards, capsys):
    check_sample(shards, SMALL, "train", TRAIN)
    first, *features = capsys.readouterr().err.splitlines()
    labels = sum(len(video(number)[1]) for number in range(53)) / 53
    assert first.startswith(
        f"train, 5 shards in {shards[0].parent}: 53 videos, 100% labelled with {labels:.1f} labels each, "
        "10 of 10 classes, most often "
    )
    assert first.endswith("; 1 to 8 frames, median 4")
    assert [line.partition(":")[0] for line in features] == ["rgb", "audio"]


def test_a_warning_does_not_end_the_check(tmp_path, capsys):
    labelled(tmp_path / "train0000.tfrecord", [[1, 9], []] * 5)
    check_sample([tmp_path / "train0000.tfrecord"], SMALL, "train", TRAIN)
    [warning] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert warning == "warning: 50% of the videos have no labels and count as negatives of every class"


def test_all_errors_are_in_one_message(tmp_path):
    labelled(tmp_path / "train0000.tfrecord", [[]] * 10, lambda number: "the same one")
    use = Use(labels=True, unique=True)
    with pytest.raises(DataError) as refusal:
        check_sample([tmp_path / "train0000.tfrecord"], SMALL, "train", use)
    assert str(refusal.value) == (
        f"the train records in {tmp_path} cannot be used: no video has labels; ids occur again in 9 of 10 "
        "videos, e.g. 'the same one'; ids hold blanks or commas (1 of 10), e.g. 'the same one', which no CSV "
        "of predictions can hold: `yt8m convert` replaces them."
    )


def test_labels_under_another_key_are_found(tmp_path):
    path = tmp_path / "train0000.tfrecord"
    with writing(path) as add:
        for number in range(10):
            record = sequence_example(*video(number))
            add(record.replace(b"\x0a\x06labels", b"\x0a\x06genres"))
    with pytest.raises(DataError, match=r"set label_keys=\('genres',\) in the recipe's Dataset\.$"):
        check_sample([path], SMALL, "train", TRAIN)
    check_sample([path], Dataset("small", SMALL.features, 10, label_keys=("genres",)), "train", TRAIN)
    check_sample([path], SMALL, "test", TEST)


def test_labels_behind_a_sample_without_any_are_looked_for(tmp_path, monkeypatch, capsys):
    path = tmp_path / "train0000.tfrecord"
    labelled(path, [[]] * 20 + [[1], [9]] * 5)
    monkeypatch.setattr(check, "SAMPLED", 10)
    check_sample([path], SMALL, "train", TRAIN)
    assert "30 videos, 33% labelled" in capsys.readouterr().err


def test_a_thousand_shards_are_checked_in_a_moment(tmp_path):
    """Of different sizes, in CPU time."""
    write(tmp_path / "train0000.tfrecord", range(20))
    data = (tmp_path / "train0000.tfrecord").read_bytes()
    for number in range(1, 1000):
        (tmp_path / f"train{number:04d}.tfrecord").write_bytes(data)
        os.truncate(tmp_path / f"train{number:04d}.tfrecord", len(data) + number * 16)
    began = time.process_time()
    with pytest.raises(DataError, match="records are bad"):
        check_sample(sorted(tmp_path.iterdir()), SMALL, "train", TRAIN)
    assert time.process_time() - began < 1


def test_the_check_of_a_split_of_many_large_shards_reads_a_bounded_part(tmp_path, monkeypatch):
    frames = {name: np.ones((300, width), np.uint8) for name, width in SMALL.features}
    for shard in range(20):
        with writing(tmp_path / f"train{shard:04d}.tfrecord") as add:
            for number in range(100):
                add(sequence_example(f"{shard}-{number}", [shard % 10], frames))
    read = []
    load = ShardGroup.load

    def counted(group, record, *rest, **named):
        read.append(record)
        return load(group, record, *rest, **named)

    monkeypatch.setattr(ShardGroup, "load", counted)
    check_sample(sorted(tmp_path.iterdir()), SMALL, "train", TRAIN)
    assert len(read) == check.SAMPLED == 16 * 32
