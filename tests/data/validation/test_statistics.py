"""Statistics of a split equal those of closed formulas and of plain loops, however they are gathered."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_shards import SMALL, video
from yt8m_kit.data.format.examples import Video
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.validation.statistics import FeatureStatistics, SplitStatistics
from yt8m_kit.data.validation.summary import summary

STEP = 4 / 255  # between two bytes
ALL_BYTES = np.arange(256, dtype=np.uint8).reshape(1, 256)


def feature(frames):
    statistics = FeatureStatistics("rgb", frames.shape[1])
    statistics.add(frames)
    return statistics


def small(number):
    identity, labels, features = video(number)
    return Video(identity, labels, [*features.values()])


def gathered(numbers):
    statistics = SplitStatistics(SMALL)
    for number in numbers:
        statistics.add(small(number))
    return statistics


def test_moments_of_all_bytes_are_those_of_a_discrete_uniform_distribution():
    statistics = feature(ALL_BYTES)
    assert statistics.mean == pytest.approx(255 / 2 * STEP + 4 / 512 - 2)
    assert statistics.deviation == pytest.approx(STEP * ((256**2 - 1) / 12) ** 0.5)
    assert statistics.clipped == 2 / 256
    assert statistics.constant == 256


def test_moments_of_a_binomial_distribution():
    """Bytes 100 and 101, with probabilities 3/4 and 1/4."""
    statistics = feature(np.array([[100, 100, 100, 101]], np.uint8))
    assert statistics.mean == pytest.approx(100.25 * STEP + 4 / 512 - 2)
    assert statistics.deviation == pytest.approx(STEP * (1 / 4 * 3 / 4) ** 0.5)
    assert statistics.clipped == 0


def test_constant_columns_hold_one_value_in_all_videos():
    statistics = feature(np.array([[1, 2, 3], [1, 2, 4]], np.uint8))
    assert statistics.constant == 2
    statistics.add(np.array([[1, 9, 3]], np.uint8))
    assert statistics.constant == 1


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 20, 300])
def test_at_most_eight_evenly_spaced_frames_of_a_video_are_counted(frames):
    """Frame i holds i // 256 and i % 256."""
    numbers = np.arange(frames)
    statistics = feature(np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8))
    stride = next(stride for stride in range(1, 300) if len(range(0, frames, stride)) <= 8)
    expected = np.zeros(256, np.int64)
    for number in range(0, frames, stride):
        expected[number // 256] += 1
        expected[number % 256] += 1
    np.testing.assert_array_equal(statistics.histogram, expected)


def test_labels_and_frames_are_counted_as_by_a_loop():
    numbers = range(53)
    statistics = gathered(numbers)
    labels = [set(video(number)[1]) for number in numbers]
    frames = [len(video(number)[2]["rgb"]) for number in numbers]
    assert statistics.videos == statistics.labelled == statistics.records == 53
    assert statistics.labels == {label: sum(label in each for each in labels) for label in range(10)}
    assert statistics.num_frames == {count: frames.count(count) for count in range(1, 9)}
    assert statistics.ids().tolist() == [b"v%03d" % number for number in numbers]


def test_unlabelled_and_repeating_labels():
    statistics = SplitStatistics(SMALL)
    for labels in ([], [3], [3, 3], [4, 3, 4]):
        statistics.add(small(0)._replace(labels=labels))
    assert (statistics.labelled, statistics.repeating) == (3, 2)
    assert statistics.labels == {3: 3, 4: 1}


def test_merged_statistics_equal_those_of_all_videos():
    merged, whole = gathered(range(20, 31)), gathered(range(53))
    for part in (gathered(range(20)), gathered(range(31, 53))):
        merged.merge(part)
    assert summary(merged, SMALL) == summary(whole, SMALL)
    assert merged.labels == whole.labels
    np.testing.assert_array_equal(merged.ids(), whole.ids())
    for mine, others in zip(merged.features, whole.features):
        np.testing.assert_array_equal(mine.histogram, others.histogram)
        np.testing.assert_array_equal(mine.lowest, others.lowest)
        np.testing.assert_array_equal(mine.highest, others.highest)


def test_ids_of_several_lengths_and_scripts_are_sorted_as_utf8():
    names = ["b", "häuser", "a" * 40, "日本", "a"]
    parts = [SplitStatistics(SMALL) for _ in names]
    for part, name in zip(parts, names):
        part.add(small(0)._replace(id=name))
    merged = SplitStatistics(SMALL)
    for part in parts:
        merged.merge(part)
    assert merged.ids().tolist() == sorted(name.encode() for name in names)


@pytest.mark.parametrize(("hidden", "most", "skipped"), [(0, None, 1), (5, None, 6), (5, 3, 3), (1, 3, 2)])
def test_bad_records_count_with_those_they_hide_up_to_a_bound(hidden, most, skipped):
    statistics = gathered(range(2))
    fault = RecordError(Path("a"), 2, "data CRC mismatch")
    fault.hidden = hidden
    statistics.add_fault(fault, most)
    assert (statistics.skipped, statistics.records) == (skipped, 2 + skipped)
    assert statistics.reasons == {"data CRC mismatch": 1}


def test_the_summary_tells_what_was_gathered():
    statistics = SplitStatistics(SMALL)
    for count, labels in ((1, [3]), (2, [3, 4]), (4, [])):
        frames = [np.zeros((count, 7), np.uint8), np.full((count, 3), 255, np.uint8)]
        statistics.add(Video(f"v{count}", labels, frames))
    statistics.add_fault(RecordError(Path("a"), 0, "data CRC mismatch"))
    assert summary(statistics, SMALL) == [
        "3 videos, 67% labelled with 1.5 labels each, 2 of 10 classes, most often 3 (67% of the videos); "
        "1 to 4 frames, median 2; 25.0% of the records bad",
        "rgb: mean -1.99, standard deviation 0.00, 100.0% at the limits -2 and 2, 7 constant columns",
        "audio: mean 2.01, standard deviation 0.00, 100.0% at the limits -2 and 2, 3 constant columns",
    ]


def test_the_summary_of_bad_records_alone():
    statistics = SplitStatistics(SMALL)
    statistics.add_fault(RecordError(Path("a"), 0, "data CRC mismatch"))
    assert summary(statistics, SMALL) == ["1 record, all bad"]
