"""Batches of damaged shards: faults are skipped, named and counted, or raised when strict."""

import os
import random
import tracemalloc

import numpy as np
import pytest

from tests.support.small_shards import (
    ALL,
    HEADER,
    SMALL,
    damage,
    five_shards,
    flip_payload,
    ids,
    video,
    write,
)
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.splits import find
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.errors import DataError, UsageError


@pytest.fixture
def shards(tmp_path):
    return five_shards(tmp_path)


# Damage


def test_bad_records_are_skipped_named_and_counted(shards):
    flip_payload(shards[0], 17)
    flip_payload(shards[2], 0)
    faults = Faults()
    order = ids(read_batches(shards, SMALL, 8, faults=faults, epochs=2, readers=2))
    assert order == [identity for identity in ALL if identity not in ("v017", "v021")] * 2
    assert list(faults) == [(shards[0], 17, "data CRC mismatch"), (shards[2], 0, "data CRC mismatch")]
    assert faults.summary() == (
        "skipped 2 records in 2 shards: train0000.tfrecord record 17: data CRC mismatch; "
        "train0002.tfrecord record 0: data CRC mismatch"
    )


def test_long_summaries_are_shortened(shards):
    for record in range(5):
        flip_payload(shards[0], record)
    faults = Faults()
    ids(read_batches(shards, SMALL, 8, faults=faults))
    assert faults.summary().startswith("skipped 5 records in 1 shard: train0000.tfrecord record 0: ")
    assert faults.summary().endswith("record 2: data CRC mismatch; and 2 more")


def test_without_faults_the_summary_is_empty(shards):
    faults = Faults()
    ids(read_batches(shards, SMALL, 8, faults=faults))
    assert (faults.summary(), len(faults)) == ("", 0)


def broken(kind, path):
    """Damage a shard of records 30 to 40; returns the number of good videos and the expected message."""
    index = tfrecord.index(path)
    if kind == "truncated":
        os.truncate(path, os.path.getsize(path) - 2)
        return 10, f"{path} record 10: truncated"
    if kind == "length":
        damage(path, int(index.offsets[4]) - HEADER)
        return 4, f"{path} record 4: length CRC mismatch; the rest of the shard cannot be read"
    if kind == "data":
        flip_payload(path, 4)
        return 10, f"{path} record 4: data CRC mismatch"
    if kind == "empty":
        path.write_bytes(b"")
        return 0, f"{path}: empty shard (0 bytes)"
    if kind == "text":
        path.write_text("VideoId,Labels\n" * 9)
        return 0, f"{path}: not a TFRecord file"
    odd = {name: np.ones((3, width), np.uint8) for name, width in SMALL.features}
    labels = [1]
    if kind == "unequal":
        odd["rgb"] = odd["rgb"][:2]
        said = "rgb has 2 frames but audio 3"
    elif kind == "no frames":
        odd = {name: rows[:0] for name, rows in odd.items()}
        said = "rgb has no frames"
    else:
        labels = [10]
        said = "labels holds 10; expected 0 to 9"
    with tfrecord.writing(path) as add:
        add(sequence_example("odd", labels, odd))
        add(sequence_example(*video(30)))
    return 1, f"{path} record 0: {said}"


KINDS = ["truncated", "length", "data", "empty", "text", "unequal", "no frames", "label"]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_skipped_with_a_reason(shards, kind):
    good, said = broken(kind, shards[3])
    faults = Faults()
    assert len(ids(read_batches(shards, SMALL, 8, seed=0, faults=faults))) == 53 - 11 + good
    assert len(faults) == 1
    assert said.removeprefix(f"{shards[3].parent}/") in faults.summary()


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_an_error_when_strict(shards, kind):
    _, said = broken(kind, shards[3])
    with pytest.raises(DataError) as refusal:
        ids(read_batches(shards, SMALL, 8, seed=0, strict=True))
    assert str(refusal.value).startswith(said)


def test_real_float_records_with_a_wrong_width_are_refused(real_data):
    paths = find(real_data / "odd_records", "float")
    with pytest.raises(DataError, match=r"record 0: audio frame 0 has 299 floats; expected 128.*record 1"):
        ids(read_batches(paths, YOUTUBE8M_2018, 2))


@pytest.mark.parametrize("epochs", [1, None])
def test_a_split_without_a_good_record_is_an_error(shards, epochs):
    for shard in shards:
        shard.write_bytes(b"")
    with pytest.raises(DataError, match="no usable record in 5 shards: skipped 5 whole shards"):
        next(read_batches(shards, SMALL, 8, seed=0, epochs=epochs))


def test_a_worker_without_records_is_an_error_when_endless(tmp_path):
    write(tmp_path / "train0000.tfrecord", [1])
    paths = find(tmp_path, "train")
    assert ids(read_batches(paths, SMALL, 1, worker=(1, 2))) == []
    with pytest.raises(DataError, match=r"worker \(1, 2\) has no record"):
        next(read_batches(paths, SMALL, 1, worker=(1, 2), epochs=None))


def test_an_unchecked_crc_is_not_checked(shards):
    flip_payload(shards[0], 0)
    assert len(ids(read_batches(shards, SMALL, 8, check_crc=False))) == 53
    assert len(ids(read_batches(shards, SMALL, 8))) == 52


def test_a_missing_shard_is_an_error(shards):
    shards[2].unlink()
    with pytest.raises(DataError, match=r"train0002.tfrecord: cannot be read: No such file"):
        ids(read_batches(shards, SMALL, 8))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"readers": 0}, "readers must be at least 1; got 0"),
        ({"reuse": -1}, "reuse must be at least 0; got -1"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
        ({"mix": 0}, "mix must be at least 1; got 0"),
        ({"worker": (2, 2)}, "worker must be (k, n) with 0 <= k < n; got (2, 2)"),
        ({"paths": []}, "the number of shards must be at least 1; got 0"),
    ],
)
def test_arguments_out_of_range_are_refused(shards, arguments, said):
    with pytest.raises(UsageError) as refusal:
        read_batches(**{"paths": shards, "dataset": SMALL, "batch_size": 8, **arguments})
    assert said in str(refusal.value)


def mutate(data, rng):
    """Damage a shard once: flip a bit, truncate, overwrite a length, or duplicate bytes."""
    kind = rng.randrange(4)
    at = rng.randrange(len(data))
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at : at + 8] = rng.choice([0, 1, 2**31, 2**63, 2**64 - 1, len(data)]).to_bytes(8, "little")
    else:
        data[at:at] = data[at : at + rng.randrange(1, 40)]


def test_no_damage_changes_a_video_silently(tmp_path):
    path = tmp_path / "train0000.tfrecord"
    write(path, range(6))
    original = path.read_bytes()
    contents = {
        identity: frames.tobytes() + bytes([count]) + labels.tobytes()
        for batch in read_batches([path], SMALL, 6)
        for identity, frames, count, labels in zip(batch.ids, batch.frames, batch.num_frames, batch.labels)
    }
    rng = random.Random(0)
    noticed = 0
    for _ in range(400):
        data = bytearray(original)
        mutate(data, rng)
        path.write_bytes(data)
        faults = Faults()
        try:
            for batch in read_batches([path], SMALL, 4, seed=0, faults=faults):
                for identity, frames, count, labels in zip(*batch[3:4], *batch[:3]):
                    assert frames.tobytes() + bytes([count]) + labels.tobytes() == contents[identity]
        except DataError:
            noticed += 1
        else:
            noticed += bool(faults.summary())
            cut_between_records = original.startswith(bytes(data))
            assert faults.summary() or data == original or cut_between_records
    assert noticed > 350


# A long run


@pytest.mark.parametrize("readers", [1, 2])
def test_a_late_bad_record_is_skipped_without_memory_growth(tmp_path, readers):
    """In the 3,000th of 3,100 shards: the run continues, names the record, and its memory does not grow."""
    write(tmp_path / "train0000.tfrecord", [3, 4])
    data = (tmp_path / "train0000.tfrecord").read_bytes()
    for number in range(1, 3100):
        (tmp_path / f"train{number:04d}.tfrecord").write_bytes(data)
    flip_payload(tmp_path / "train2999.tfrecord", 1)
    faults = Faults()
    videos, held = 0, []
    paths = find(tmp_path, "train")
    assert len({str(path) for path in paths}) == 3100  # a Path caches its string, which would count as growth
    tracemalloc.start()
    for number, batch in enumerate(read_batches(paths, SMALL, 8, faults=faults, readers=readers, reuse=1)):
        videos += len(batch.ids)
        if number in (100, 700):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert videos == 2 * 3100 - 1
    assert list(faults) == [(tmp_path / "train2999.tfrecord", 1, "data CRC mismatch")]
    assert faults.summary() == "skipped 1 record in 1 shard: train2999.tfrecord record 1: data CRC mismatch"
    assert held[1] - held[0] < 100_000, "bytes, for 2,400 more shards"
