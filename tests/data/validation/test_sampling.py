"""The sample of a split is spread over its shards, and bounded in records and bytes."""

import os
from dataclasses import replace

import numpy as np
import pytest

from tests.support.small_shards import ALL, SMALL, damage, five_shards, flip_payload, video, write
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.format.tfrecord import index, writing
from yt8m_kit.data.validation import sampling
from yt8m_kit.data.validation.sampling import keys_like_labels, sample
from yt8m_kit.errors import DataError


@pytest.fixture
def shards(tmp_path):
    return five_shards(tmp_path)


@pytest.fixture
def many(tmp_path):
    """40 shards of 10 videos."""
    for shard in range(40):
        write(tmp_path / f"train{shard:04d}.tfrecord", range(shard * 10, shard * 10 + 10))
    return sorted(tmp_path.iterdir())


def ids(statistics):
    return [each.decode() for each in statistics.ids()]


def test_a_small_split_is_read_completely(shards):
    statistics = sample(shards, SMALL, 512)
    assert ids(statistics) == ALL
    assert statistics.is_complete


def test_as_many_videos_as_there_are_are_all_of_them(tmp_path):
    write(tmp_path / "train0000.tfrecord", range(8))
    for videos, complete in ((8, True), (7, False)):
        statistics = sample([tmp_path / "train0000.tfrecord"], SMALL, videos)
        assert (statistics.videos, statistics.is_complete) == (videos, complete)


def test_the_first_videos_of_sixteen_spread_shards_are_read(many):
    """The i-th of 16 among 40 shards is at 39 * i / 15, rounded."""
    statistics = sample(many, SMALL, 32)
    chosen = [round(39 * number / 15) for number in range(16)]
    assert ids(statistics) == [video(shard * 10 + record)[0] for shard in chosen for record in (0, 1)]
    assert not statistics.is_complete


def test_the_other_shards_are_not_opened(many):
    chosen = {round(39 * number / 15) for number in range(16)}
    for number, path in enumerate(many):
        if number not in chosen:
            path.write_bytes(b"no record")
    assert not sample(many, SMALL, 32).skipped


def test_a_shard_is_read_up_to_a_number_of_bytes(tmp_path, monkeypatch):
    """Of ten records of one length L, the four that begin within the first 3 L bytes."""
    path = tmp_path / "train0000.tfrecord"
    write(path, [8] * 10)
    monkeypatch.setattr(sampling, "_BYTES", 3 * int(index(path).lengths[0]))
    statistics = sample([path], SMALL, 512)
    assert statistics.videos == 4
    assert not statistics.is_complete


def test_bad_records_are_counted(shards):
    flip_payload(shards[3], 2)
    statistics = sample(shards, SMALL, 512)
    assert (statistics.videos, statistics.skipped) == (52, 1)
    assert statistics.reasons == {"data CRC mismatch": 1}
    assert statistics.is_complete


def test_records_behind_a_framing_error_are_counted_up_to_the_bound(tmp_path):
    path = tmp_path / "train0000.tfrecord"
    write(path, [8] * 100)
    damage(path, int(index(path).offsets[5]) - 12)
    assert sample([path], SMALL, 512).records == pytest.approx(100, abs=2)
    few = sample([path], SMALL, 20)
    assert few.videos == 5
    assert few.records <= 20


def test_a_missing_shard_is_an_error(shards):
    os.remove(shards[1])
    with pytest.raises(DataError, match=r"train0001\.tfrecord"):
        sample(shards, SMALL, 512)


# Keys with integers, of which one may hold the labels


@pytest.mark.parametrize(("label_keys", "found"), [((), ["genres"]), (("genres",), [])])
def test_keys_like_labels_are_other_keys_of_the_first_record(tmp_path, label_keys, found):
    path = tmp_path / "train0000.tfrecord"
    record = sequence_example("a", [1], {"rgb": np.ones((2, 7), np.uint8)})
    with writing(path) as add:
        add(record.replace(b"\x0a\x06labels", b"\x0a\x06genres"))
    assert keys_like_labels(path, replace(SMALL, label_keys=label_keys)) == found


def test_an_empty_list_of_labels_is_not_under_another_key(tmp_path):
    with writing(tmp_path / "train0000.tfrecord") as add:
        add(sequence_example("a", [], {"rgb": np.ones((2, 7), np.uint8)}))
    assert keys_like_labels(tmp_path / "train0000.tfrecord", SMALL) == []


@pytest.mark.parametrize("content", [b"", b"no record at all"])
def test_a_shard_without_records_has_no_keys(tmp_path, content):
    (tmp_path / "train0000.tfrecord").write_bytes(content)
    assert keys_like_labels(tmp_path / "train0000.tfrecord", SMALL) == []


def test_a_malformed_record_has_no_keys(tmp_path):
    with writing(tmp_path / "train0000.tfrecord") as add:
        add(b"\x0a")
    assert keys_like_labels(tmp_path / "train0000.tfrecord", SMALL) == []
