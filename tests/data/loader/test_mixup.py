"""Mixup: frames and labels of a pair, and reproducibility of a resumed run."""

import numpy as np
import pytest

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.mixup import mixup
from yt8m_kit.data.loader.order import Position
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Member

FRAMES, WIDTH, CLASSES = 6, 4, 5


def batch(counts, position=Position(0, 0, 8)):  # noqa: B008 - immutable
    rng = np.random.default_rng(len(counts))
    frames = rng.integers(1, 256, (len(counts), FRAMES, WIDTH), np.uint8)
    for video, count in enumerate(counts):
        frames[video, count:] = 0
    labels = np.eye(CLASSES, dtype=np.float32)[np.arange(len(counts)) % CLASSES]
    return Batch(frames, np.array(counts, np.int32), labels, [str(i) for i in range(len(counts))], position)


def copy(one):
    return Batch(*(each.copy() for each in one[:3]), *one[3:])


def only(iterator):
    (one,) = iterator
    return one


def weights_of(mixed, before):
    """The weight of each video in its own mix, read from its label."""
    return np.array([mixed.labels[video] @ before.labels[video] for video in range(len(before.ids))])


def test_frames_and_labels_are_mixed_with_the_same_weight():
    before = batch([FRAMES] * 4)
    after = only(mixup(iter([copy(before)]), 1.0, seed=3))
    weights = weights_of(after, before)
    assert ((weights >= 0.5) & (weights <= 1)).all()
    assert len(set(weights.tolist())) > 1
    for video, partner in enumerate((3, 2, 1, 0)):
        weight = weights[video]
        np.testing.assert_allclose(
            after.labels[video], weight * before.labels[video] + (1 - weight) * before.labels[partner]
        )
        exact = weight * before.frames[video].astype(float) + (1 - weight) * before.frames[partner]
        np.testing.assert_allclose(after.frames[video], exact, atol=0.5)  # the nearest byte


def test_the_shorter_video_is_repeated_and_padding_stays_zero():
    before = batch([5, 2])
    after = only(mixup(iter([copy(before)]), 1.0, seed=3))
    assert after.num_frames.tolist() == [5, 5]
    assert not after.frames[:, 5:].any()
    weight = weights_of(after, before)[0]
    repeated = before.frames[1, [0, 1, 0, 1, 0]].astype(float)
    exact = weight * before.frames[0, :5] + (1 - weight) * repeated
    np.testing.assert_allclose(after.frames[0, :5], exact, atol=0.5)


@pytest.mark.parametrize("counts", [[3, 0], [0, 0], [4]], ids=["one empty", "both empty", "no partner"])
def test_without_a_partner_nothing_changes(counts):
    before = batch(counts)
    after = only(mixup(iter([copy(before)]), 1.0, seed=3))
    for one, other in zip(after[:3], before[:3]):
        np.testing.assert_array_equal(one, other)


def test_weights_depend_on_seed_and_position_alone():
    first, second = batch([FRAMES] * 4), batch([FRAMES] * 4, Position(0, 0, 16))
    both = [each.labels.copy() for each in mixup(iter([copy(first), copy(second)]), 0.4, seed=1)]
    resumed = only(mixup(iter([copy(second)]), 0.4, seed=1))
    np.testing.assert_array_equal(resumed.labels, both[1])
    assert not np.array_equal(both[0], both[1])
    assert not np.array_equal(only(mixup(iter([copy(second)]), 0.4, seed=2)).labels, both[1])


def test_reused_buffers_are_cleared(tmp_path):
    """Mixup lengthens short videos in place; the next video of that row must not keep their frames."""
    small = Dataset("small", (("rgb", 3), ("audio", 1)), classes=CLASSES, max_frames=FRAMES)
    rng = np.random.default_rng(1)
    with tfrecord.writing(tmp_path / "train0000.tfrecord") as add:
        for number in range(40):
            count = 1 + number % FRAMES
            features = {
                name: rng.integers(1, 256, (count, width), np.uint8) for name, width in small.features
            }
            add(sequence_example(f"v{number}", [number % CLASSES], features))
    read = read_batches(splits.find(tmp_path, "train"), small, 4, seed=2, epochs=3, reuse=1)
    for each in mixup(read, 1.0, seed=3):
        for frames, count in zip(each.frames, each.num_frames):
            assert not frames[count:].any()


@pytest.mark.parametrize("alpha", [0, -1.0])
def test_alpha_must_be_positive(alpha):
    with pytest.raises(UsageError, match=r"mixup must be a number \(over 0\) or None"):
        Member("netvlad", steps=1, mixup=alpha)
