"""Shards of a few small videos, and damage to them."""

import itertools

import numpy as np

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.loader.splits import find
from yt8m_kit.dataset import Dataset

SMALL = Dataset("small", (("rgb", 7), ("audio", 3)), classes=10, max_frames=5)
HEADER, FOOTER = 12, 4


def video(number):
    """Id, labels and features of the number-th video; one to eight frames, none of them zero."""
    rng = np.random.default_rng(number)
    count = 1 + number % 8
    features = {name: rng.integers(1, 256, (count, width), np.uint8) for name, width in SMALL.features}
    return f"v{number:03d}", sorted({number % 10, number // 10 % 10}), features


def write(path, numbers):
    with tfrecord.writing(path) as add:
        for number in numbers:
            add(sequence_example(*video(number)))


def five_shards(folder):
    """Videos 0..52 in five shards of unequal size."""
    edges = [0, 20, 21, 30, 41, 53]
    for shard, (start, end) in enumerate(itertools.pairwise(edges)):
        write(folder / f"train{shard:04d}.tfrecord", range(start, end))
    return find(folder, "train")


ALL = [f"v{number:03d}" for number in range(53)]


def ids(iterator):
    return [identity for batch in iterator for identity in batch.ids]


def copies(iterator):
    """Copies of batches as comparable tuples."""
    return [
        (batch.frames.tobytes(), batch.num_frames.tolist(), batch.labels.tobytes(), batch.ids, batch.position)
        for batch in iterator
    ]


def damage(path, at, value=1):
    data = bytearray(path.read_bytes())
    data[at] ^= value
    path.write_bytes(data)


def flip_payload(path, record):
    index = tfrecord.index(path)
    damage(path, int(index.offsets[record] + index.lengths[record]) - 1)
