"""Records parsed by the graph: equal to the kit's own reader; malformed ones are refused."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.dataset import Dataset
from yt8m_kit.export.record_input import parse

SMALL = Dataset("small", (("rgb", 6), ("audio", 2)), classes=5, max_frames=4)
RNG = np.random.default_rng(0)


def video(frames, audio=None, rgb_width=6, **options):
    """A record, and its frames by feature."""
    features = {
        "rgb": RNG.integers(0, 256, (frames, rgb_width), np.uint8),
        "audio": RNG.integers(0, 256, (frames if audio is None else audio, 2), np.uint8),
    }
    return sequence_example(f"v{frames}", [1], features, **options), features


def test_frames_are_cut_padded_and_counted():
    videos = {frames: video(frames) for frames in (3, 4, 7, 0, 1)}
    ids, frames, num_frames = parse(tf.constant([record for record, _ in videos.values()]), SMALL)
    assert [name.decode() for name in ids.numpy()] == [f"v{count}" for count in videos]
    np.testing.assert_array_equal(num_frames, [3, 4, 4, 0, 1])
    assert frames.dtype == tf.uint8
    for row, (count, (_, features)) in zip(frames.numpy(), videos.items()):
        expected = np.zeros((4, 8), np.uint8)
        expected[: min(count, 4)] = np.hstack([features["rgb"], features["audio"]])[:4]
        np.testing.assert_array_equal(row, expected)


def test_either_key_may_hold_the_id():
    records = [video(1)[0], video(2, id_key="video_id")[0]]
    assert [name.decode() for name in parse(tf.constant(records), SMALL)[0].numpy()] == ["v1", "v2"]


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (video(3, audio=2)[0], "rgb and audio must have one frame each a second"),
        (video(2, rgb_width=5)[0], "rgb frames must have 6 bytes"),
        (sequence_example("x", [], {"rgb": np.zeros((1, 6), np.uint8)}), "audio"),
        (b"no record", "parse"),
    ],
)
def test_records_of_another_format_are_refused(record, complaint):
    with pytest.raises(tf.errors.InvalidArgumentError, match=complaint):
        parse(tf.constant([video(2)[0], record]), SMALL)
