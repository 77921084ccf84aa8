"""Batches: contents, order, resuming, sharding among workers, memory and prefetching."""

import itertools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf

from tests.support.small_shards import (
    ALL,
    HEADER,
    SMALL,
    copies,
    damage,
    five_shards,
    flip_payload,
    ids,
    video,
    write,
)
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.loader.prefetch import prefetch
from yt8m_kit.data.loader.splits import find
from yt8m_kit.data.reading import shards as open_shards
from yt8m_kit.dataset import AUDIOSET, YOUTUBE8M_2018
from yt8m_kit.errors import DataError, UsageError


@pytest.fixture
def shards(tmp_path):
    return five_shards(tmp_path)


# Contents


@pytest.mark.parametrize("reuse", [0, 1])
@pytest.mark.parametrize("readers", [1, 3])
def test_batches_hold_the_videos(shards, reuse, readers):
    number = 0
    for batch in read_batches(shards, SMALL, 7, reuse=reuse, readers=readers):
        assert batch.frames.dtype == np.uint8
        assert batch.num_frames.dtype == np.int32
        assert batch.labels.dtype == np.float32
        size = 7 if number < 49 else 4
        assert [array.shape for array in batch[:3]] == [(size, 5, 10), (size,), (size, 10)]
        for row, identity in enumerate(batch.ids):
            expected_id, labels, features = video(number)
            count = min(1 + number % 8, 5)
            assert identity == expected_id
            assert batch.num_frames[row] == count
            np.testing.assert_array_equal(
                batch.frames[row, :count], np.hstack([features["rgb"], features["audio"]])[:count]
            )
            assert not batch.frames[row, count:].any(), "padding is zero"
            np.testing.assert_array_equal(np.flatnonzero(batch.labels[row] == 1), labels)
            assert np.count_nonzero(batch.labels[row]) == len(labels)
            number += 1
    assert number == 53


def test_labels_are_zero_where_records_have_none(tiny_data):
    (batch,) = read_batches(find(tiny_data.path, "test"), tiny_data.dataset, 40)
    assert batch.labels.shape == (40, tiny_data.dataset.classes)
    assert not batch.labels.any()


@pytest.mark.parametrize("readers", [1, 2])
def test_batches_that_end_with_their_shard_hold_the_same_videos(tiny_data, readers):
    """Two shards of 20 videos in batches of 8: 8, 8 and 4 of each; resumed within the second one, too."""
    paths = find(tiny_data.path, "test")
    options = {"mix": 1, "by_group": True, "readers": readers, "reuse": 2}
    batches = [
        (batch.ids, batch.frames.copy(), batch.position)
        for batch in read_batches(paths, tiny_data.dataset, 8, **options)
    ]
    assert [len(ids) for ids, _, _ in batches] == [8, 8, 4] * 2
    assert [position.group for _, _, position in batches] == [0] * 3 + [1] * 3
    [whole] = read_batches(paths, tiny_data.dataset, 40)
    assert [video for ids, _, _ in batches for video in ids] == whole.ids
    np.testing.assert_array_equal(np.concatenate([frames for _, frames, _ in batches]), whole.frames)
    resumed = read_batches(paths, tiny_data.dataset, 8, start=batches[3][2], **options)
    assert [batch.ids for batch in resumed] == [ids for ids, _, _ in batches[4:]]


def parsed_by_tensorflow(paths, dataset, id_key):
    for record in tf.data.TFRecordDataset([str(path) for path in paths]):
        context, lists = tf.io.parse_single_sequence_example(
            record,
            {id_key: tf.io.FixedLenFeature([], tf.string), "labels": tf.io.VarLenFeature(tf.int64)},
            {name: tf.io.FixedLenSequenceFeature([], tf.string) for name, _ in dataset.features},
        )
        parts = [tf.io.decode_raw(lists[name], tf.uint8).numpy() for name, _ in dataset.features]
        labels = context["labels"].values.numpy()
        yield context[id_key].numpy().decode(), labels, np.hstack(parts)[: dataset.max_frames]


def assert_equal_to_tensorflow(paths, dataset, id_key):
    expected = parsed_by_tensorflow(paths, dataset, id_key)
    seen = 0
    for batch in read_batches(paths, dataset, 100, reuse=1, readers=2):
        for row in range(len(batch.ids)):
            identity, labels, frames = next(expected)
            assert batch.ids[row] == identity
            assert batch.num_frames[row] == len(frames)
            np.testing.assert_array_equal(batch.frames[row, : len(frames)], frames)
            assert not batch.frames[row, len(frames) :].any()
            assert sorted(labels) == np.flatnonzero(batch.labels[row]).tolist()
            seen += 1
    assert next(expected, None) is None
    assert seen == splits.count(paths) > 0


def test_audioset_is_read_as_tensorflow_reads_it(real_data):
    assert_equal_to_tensorflow(find(real_data / "audioset", "validate")[:1], AUDIOSET, "video_id")


def test_full_size_records_are_read_as_tensorflow_reads_them(real_data, tmp_path):
    words = [real_data / "expand_frames.py", tmp_path, "--videos", "30", "--shards", "2"]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    assert_equal_to_tensorflow(find(tmp_path, "train"), YOUTUBE8M_2018, "id")


def test_video_level_records_are_videos_of_one_frame(real_data):
    paths = find(real_data / "yt8m_video", "validate")
    (batch,) = itertools.islice(read_batches(paths, YOUTUBE8M_2018, 64), 1)
    assert batch.num_frames.tolist() == [1] * 64
    assert batch.frames[:, 0].any(axis=1).all()
    assert not batch.frames[:, 1:].any()
    assert (batch.labels.sum(axis=1) > 0).all()


# Finding shards


@pytest.mark.parametrize("layout", ["train0000.tfrecord", "train/aa.tfrecord", "2/frame/train/aa.tfrecord"])
def test_three_layouts_are_found(tmp_path, layout):
    path = tmp_path / layout
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    (path.parent / "train0000.tfrecord.partial").touch()
    assert find(tmp_path, "train") == [path]


def test_shards_in_two_layouts_are_refused_by_name(tmp_path):
    (tmp_path / "train").mkdir()
    for name in ("train0009.tfrecord", "train/train0000.tfrecord", "train/train0001.tfrecord"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError) as refusal:
        find(tmp_path, "train")
    assert "train0009.tfrecord (1 shard) and train/train0000.tfrecord (2 shards)" in str(refusal.value)


def test_frames_come_before_means_of_the_official_layout(tmp_path):
    for level in ("frame", "video"):
        folder = tmp_path / "2" / level / "train"
        folder.mkdir(parents=True)
        (folder / "train0000.tfrecord").touch()
    assert find(tmp_path, "train") == [tmp_path / "2/frame/train/train0000.tfrecord"]


def test_missing_shards_are_an_error_with_a_suggestion(tmp_path):
    with pytest.raises(UsageError) as refusal:
        find(tmp_path, "validate")
    assert str(tmp_path / "validate*.tfrecord") in str(refusal.value)
    assert "yt8m synthesize" in str(refusal.value)


def test_count(shards):
    assert splits.count(shards) == 53
    os.truncate(shards[0], os.path.getsize(shards[0]) - 1)
    assert splits.count(shards) == 52


# Order


def test_without_a_seed_files_are_read_in_order(shards):
    assert ids(read_batches(shards, SMALL, 7, mix=2)) == ALL


def test_a_seed_shuffles_the_whole_set(shards):
    order = ids(read_batches(shards, SMALL, 7, seed=3))
    assert sorted(order) == ALL
    assert order == ids(read_batches(shards, SMALL, 9, seed=3)), "the batch size does not matter"
    assert order != ids(read_batches(shards, SMALL, 7, seed=4))
    # Shuffling the shards and then within each would leave shards together: the first twenty would not come
    # from all four of the larger ones.
    edges = np.array([20, 21, 30, 41, 53])
    shard_of = [int(np.searchsorted(edges, int(identity[1:]), side="right")) for identity in order[:20]]
    assert {0, 2, 3, 4} <= set(shard_of)


@pytest.mark.parametrize(("files", "size"), [(5, 53), (1, 20)])
def test_epochs_differ_and_each_is_complete(shards, files, size):
    paths = shards[:files]
    order = ids(read_batches(paths, SMALL, 7, seed=3, epochs=3))
    epochs = [order[:size], order[size : 2 * size], order[2 * size :]]
    assert all(sorted(epoch) == ALL[:size] for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert epochs[0] == ids(read_batches(paths, SMALL, 7, seed=3))


def test_batches_span_the_end_of_an_epoch(shards):
    sizes = [len(batch.ids) for batch in read_batches(shards, SMALL, 10, seed=1, epochs=2)]
    assert sizes == [10] * 10 + [6]
    endless = itertools.islice(read_batches(shards, SMALL, 10, seed=1, epochs=None), 30)
    assert [len(batch.ids) for batch in endless] == [10] * 30


def test_shards_are_shuffled_among_groups(shards):
    order = ids(read_batches(shards, SMALL, 7, seed=0, mix=2))
    assert sorted(order) == ALL
    firsts = {ids(read_batches(shards, SMALL, 7, seed=seed, mix=1))[0] for seed in range(30)}
    edges = np.array([20, 21, 30, 41, 53])
    assert {int(np.searchsorted(edges, int(first[1:]), side="right")) for first in firsts} == {0, 1, 2, 3, 4}


def test_few_files_are_open_at_a_time(tmp_path):
    for number in range(60):
        write(tmp_path / f"train{number:04d}.tfrecord", [number])
    before = len(os.listdir("/dev/fd"))
    for batch in read_batches(find(tmp_path, "train"), SMALL, 5, seed=0, mix=4):
        assert len(batch.ids) == 5
        assert len(os.listdir("/dev/fd")) <= before + 2 * 4  # a group and the next one
    assert len(os.listdir("/dev/fd")) == before


# Resuming and sharding


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="only Linux tells what is cached")
def test_uncached_records_are_read_ahead(shards, monkeypatch):
    seen = []
    advise, read = os.posix_fadvise, os.preadv

    def advised(file, offset, length, advice):
        seen.append(("advised", file, offset, length))
        return advise(file, offset, length, advice)

    def was_read(file, buffers, offset, flags=0):
        if not flags:
            seen.append(("read", file, offset, sum(map(len, buffers))))
        return read(file, buffers, offset, flags)

    monkeypatch.setattr(os, "posix_fadvise", advised)
    monkeypatch.setattr(os, "preadv", was_read)
    warm = ids(read_batches(shards, SMALL, 4, seed=1))
    assert [kind for kind, *_ in seen] == ["read"] * len(ALL)
    seen.clear()
    monkeypatch.setattr(open_shards, "_NO_WAIT", 0)  # as where the system cannot tell
    assert ids(read_batches(shards, SMALL, 4, seed=1)) == warm
    assert len(seen) == 2 * len(ALL)
    for kind, *place in seen:
        if kind == "advised":
            assert seen.index(("advised", *place)) < seen.index(("read", *place))


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("mix", [1, 2, 16])
def test_resuming_at_any_position_equals_an_uninterrupted_run(shards, seed, mix):
    flip_payload(shards[0], 3)
    flip_payload(shards[4], 11)
    damage(shards[3], int(tfrecord.index(shards[3]).offsets[6]) - HEADER)
    arguments = {"seed": seed, "epochs": 3, "mix": mix, "worker": (1, 2)}
    whole = copies(read_batches(shards, SMALL, 4, **arguments))
    assert len(whole) > 15
    for done, (*_, position) in enumerate(whole, 1):
        assert copies(read_batches(shards, SMALL, 4, start=position, **arguments)) == whole[done:]


def test_a_position_beyond_the_data_is_refused(shards):
    with pytest.raises(UsageError, match="did the shards change"):
        next(read_batches(shards, SMALL, 4, start=Position(0, 0, 54)))


def test_resuming_behind_a_truncation_ends_the_epoch(shards):
    """The position lies behind the remaining records; the next epoch has all of them."""
    path = shards[0]
    cut = int(tfrecord.index(path).offsets[10])
    path.write_bytes(path.read_bytes()[:cut])
    faults = Faults()
    found = read_batches(shards, SMALL, 43, seed=3, epochs=3, start=Position(1, 0, 50), faults=faults)
    assert sorted(ids(found)) == ALL[:10] + ALL[20:]
    [(file, record, reason)] = faults
    assert (file, record) == (path, 10)
    assert reason.startswith("truncated")


@pytest.mark.parametrize("workers", [2, 3, 7])
@pytest.mark.parametrize("mix", [1, 16])
def test_workers_partition_the_records(shards, workers, mix):
    alone = ids(read_batches(shards, SMALL, 4, seed=2, mix=mix))
    shares = [
        ids(read_batches(shards, SMALL, 4, seed=2, mix=mix, worker=(k, workers))) for k in range(workers)
    ]
    assert sorted(itertools.chain(*shares)) == sorted(alone) == ALL
    for share in shares:
        assert share == [identity for identity in alone if identity in share], "in the common order"


def test_workers_get_equal_shares_over_many_epochs(shards):
    sizes = [
        len(ids(read_batches(shards, SMALL, 4, seed=2, mix=1, epochs=12, worker=(k, 4)))) for k in range(4)
    ]
    assert sum(sizes) == 12 * 53
    # If the remainder of each group always went to the same workers, the difference would be 36: groups of
    # 20, 1, 9, 11 and 12 leave 0, 1, 1, 3 and 0, so three videos an epoch.
    assert max(sizes) - min(sizes) < 18


# Memory


def test_rings_are_aligned_and_reused(shards):
    seen = []
    for batch in read_batches(shards, SMALL, 3, reuse=2):
        for array in batch[:3]:
            assert array.ctypes.data % 64 == 0
        seen.append(batch.frames.ctypes.data)
    assert len(set(seen)) == 3
    assert seen[3:] == seen[:-3]


def test_a_batch_is_valid_while_k_more_are_drawn(shards):
    kept = []
    for batch in read_batches(shards, SMALL, 3, seed=1, reuse=2):
        kept.append((batch, batch.frames.copy(), batch.labels.copy(), batch.num_frames.copy()))
        for old, *arrays in kept[-3:]:
            for now, then in zip((old.frames, old.labels, old.num_frames), arrays):
                np.testing.assert_array_equal(now, then)


def test_without_a_ring_batches_stay_valid(shards):
    kept = list(read_batches(shards, SMALL, 3, seed=1))
    assert copies(kept) == copies(read_batches(shards, SMALL, 3, seed=1, reuse=1))
    assert kept[0].frames.ctypes.data % 64 == 0


# Prefetching


def test_prefetching_yields_the_same_batches(shards):
    expected = copies(read_batches(shards, SMALL, 4, seed=0))
    assert copies(prefetch(read_batches(shards, SMALL, 4, seed=0, reuse=2), 2)) == expected


def test_prefetching_runs_ahead_by_its_depth():
    made = []
    reached = threading.Event()

    def numbers():
        for number in range(20):
            made.append(number)
            if number == 3:
                reached.set()
            yield number

    ahead = prefetch(numbers(), 3)
    assert next(ahead) == 0
    assert reached.wait(10), "three are computed while the first is held"
    assert not threading.Event().wait(0.05)
    assert made == [0, 1, 2, 3]
    assert list(ahead) == list(range(1, 20))


def test_errors_arrive_after_the_items_before_them(shards):
    flip_payload(shards[0], 9)
    ahead = prefetch(read_batches(shards, SMALL, 4, strict=True), 5)
    assert next(ahead).ids == ALL[:4]
    assert next(ahead).ids == ALL[4:8]
    with pytest.raises(DataError, match="record 9: data CRC mismatch"):
        next(ahead)


def test_the_thread_ends_with_the_consumer(shards):
    before = set(threading.enumerate())
    files = len(os.listdir("/dev/fd"))
    ahead = prefetch(read_batches(shards, SMALL, 4, seed=0, epochs=None, readers=2), 3)
    next(ahead)
    assert set(threading.enumerate()) > before
    ahead.close()
    assert set(threading.enumerate()) == before
    assert len(os.listdir("/dev/fd")) == files
