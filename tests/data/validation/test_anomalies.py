"""What speaks against a split as a whole is found, and nothing is said of a good one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from yt8m_kit.data.format.examples import Video
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.validation.anomalies import Anomaly, Use, find_anomalies
from yt8m_kit.data.validation.statistics import SplitStatistics
from yt8m_kit.dataset import Dataset

DATASET = Dataset("sounds", (("audio", 16),), classes=10, max_frames=5)
TRAIN, TEST = Use(labels=True, unique=False), Use(labels=False, unique=True)
NORMAL = 1 / (4 / 255)  # bytes of one standard deviation of 1


def videos(count=100, **changes):
    """Good videos; changes: the labels or the id by number, or the frames by generator and number."""
    rng = np.random.default_rng(0)
    labels = changes.get("labels", lambda number: [number % 10])
    identity = changes.get("id", lambda number: f"v{number}")
    frames = changes.get("frames", lambda rng, number: values(rng, 1))
    return [Video(identity(n), labels(n), [frames(rng, n)]) for n in range(count)]


def values(rng, deviation, frames=5):
    """Frames of a normal distribution, quantized as the format does."""
    return np.clip(np.round(127.5 + rng.normal(0, deviation * NORMAL, (frames, 16))), 0, 255).astype(np.uint8)


def statistics(found, dataset=DATASET, complete=True):
    gathered = SplitStatistics(dataset)
    gathered.is_complete = complete
    for video in found:
        gathered.add(video)
    return gathered


def anomalies(found, use=TRAIN, dataset=DATASET, other_keys=(), complete=True):
    return list(find_anomalies(statistics(found, dataset, complete), dataset, use, other_keys))


def sole(found, use=TRAIN, **arguments):
    [anomaly] = anomalies(found, use, **arguments)
    return anomaly


@pytest.mark.parametrize("use", [TRAIN, TEST])
@pytest.mark.parametrize("count", [1, 5, 100])
def test_nothing_is_said_of_good_videos(use, count):
    assert anomalies(videos(count), use, complete=False) == []


def test_an_empty_split_has_no_anomalies():
    assert anomalies([]) == []


# Labels


def test_videos_without_labels_cannot_be_trained_on():
    unlabelled = videos(labels=lambda n: [])
    assert sole(unlabelled) == Anomaly("no video has labels", is_error=True)
    assert anomalies(unlabelled, TEST) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            ["genres"],
            "under 'genres': if these are labels, set label_keys=('genres',) in the recipe's Dataset",
        ),
        (["genres", "year"], "under 'genres' and 'year': if these are labels, set label_keys=('genres',)"),
    ],
)
def test_keys_that_may_hold_the_missing_labels_are_named(keys, said):
    found = sole(videos(labels=lambda n: []), other_keys=keys)
    assert found.is_error
    assert said in found.message


@pytest.mark.parametrize(("unlabelled", "said"), [(5, None), (6, "6%"), (50, "50%"), (99, "99%")])
def test_a_share_of_unlabelled_videos_above_a_twentieth_is_told(unlabelled, said):
    found = anomalies(
        videos(labels=lambda n: [] if n < unlabelled else [n % 10, (n + 1) % 10]), complete=False
    )
    message = f"{said} of the videos have no labels and count as negatives of every class"
    assert found == ([Anomaly(message)] if said else [])


@pytest.mark.parametrize("length", [7, 12])  # the reader itself refuses one of the length of classes
def test_vectors_of_zeros_and_ones_are_errors(length):
    found = sole(videos(labels=lambda n: [int(label == n % length) for label in range(length)]))
    assert found.is_error
    assert found.message == (
        "labels repeat within most videos; expected the numbers of a video's classes, each once, not a "
        "vector of zeros and ones"
    )


@pytest.mark.parametrize(("share", "is_told"), [(50, False), (51, True)])
def test_other_repeated_labels_are_a_warning_where_most_videos_have_them(share, is_told):
    found = anomalies(videos(labels=lambda n: [n % 10] * (2 if n < share else 1)))
    assert [each.is_error for each in found] == [False] * is_told


@pytest.mark.parametrize(("count", "is_told"), [(19, False), (20, True)])
def test_equal_labels_of_all_videos_are_told_where_they_are_no_chance(count, is_told):
    found = anomalies(videos(count, labels=lambda n: [3, 7]), complete=False)
    assert found == [Anomaly("all videos have the same labels, [3, 7]")] * is_told


def test_the_one_class_of_a_dataset_is_no_anomaly():
    assert anomalies(videos(labels=lambda n: [0]), dataset=replace(DATASET, classes=1)) == []


@pytest.mark.parametrize(
    ("highest", "complete", "is_told"), [(3, True, True), (4, True, False), (3, False, False)]
)
def test_far_more_classes_than_labels_are_told_of_a_complete_split(highest, complete, is_told):
    found = anomalies(videos(labels=lambda n: [n % (highest + 1)]), complete=complete)
    message = f"no label is above {highest}, but classes=10: set classes to the true number"
    assert found == [Anomaly(message)] * is_told


# Ids


@pytest.mark.parametrize("use", [TRAIN, TEST])
def test_repeated_ids_are_errors_only_in_rows_of_a_csv(use):
    """100 videos of 30 ids: 70 occur again."""
    found = sole(videos(id=lambda n: f"v{n % 30:02d}"), use)
    assert found == Anomaly("ids occur again in 70 of 100 videos, e.g. 'v00'", is_error=use.unique)


@pytest.mark.parametrize("use", [TRAIN, TEST])
@pytest.mark.parametrize("odd", ["my video", "a,b", "a\tb", "a\nb"])
def test_ids_that_no_csv_can_hold_are_named(use, odd):
    found = sole(videos(id=lambda n: odd if n == 50 else f"v{n}"), use)
    assert found.is_error == use.unique
    assert found.message == (
        f"ids hold blanks or commas (1 of 100), e.g. {odd!r}, which no CSV of predictions can hold: "
        "`yt8m convert` replaces them"
    )


# Frames and features


def test_single_frames_are_told_where_frames_are_expected():
    means = videos(frames=lambda rng, n: values(rng, 1, frames=1))
    found = sole(means)
    assert not found.is_error
    assert found.message.startswith("every video has one frame, as video-level records have")
    assert found.message.endswith("set max_frames=1 in the recipe's Dataset")
    assert anomalies(means, dataset=replace(DATASET, max_frames=1)) == []
    assert anomalies(videos(frames=lambda rng, n: values(rng, 1, frames=1 + (n == 50)))) == []


@pytest.mark.parametrize(("count", "is_told"), [(19, False), (20, True)])
def test_a_constant_feature_is_told(count, is_told):
    found = anomalies(videos(count, frames=lambda rng, n: np.zeros((5, 16), np.uint8)), complete=False)
    message = "audio is constant: remove it from the recipe's Dataset, or extract it again"
    assert found == [Anomaly(message)] * is_told


def test_constant_columns_are_counted():
    def frames(rng, number):
        found = values(rng, 1)
        found[:, :3] = [5, 6, 7]
        return found

    assert sole(videos(frames=frames)) == Anomaly("audio: 3 of 16 columns are constant")


@pytest.mark.parametrize(("clipped", "said"), [(4, None), (5, "31%"), (8, "50%"), (15, "94%")])
def test_a_share_of_values_at_the_limits_is_told(clipped, said):
    """The given number of 16 columns holds only 0 and 255."""

    def frames(rng, number):
        found = rng.integers(1, 255, (5, 16), dtype=np.uint8)
        found[:, :clipped] = 255 * (number % 2)
        return found

    found = anomalies(videos(frames=frames))
    message = (
        f"audio: {said} of the values are at the limits -2 and 2, to which floats are clipped: rescale the "
        "features to a standard deviation of about 1"
    )
    assert found == ([Anomaly(message)] if said else [])


@pytest.mark.parametrize(("distance", "said"), [(12, "0.094"), (13, None)])
def test_features_of_few_quantization_steps_are_told(distance, said):
    """Two values with equal frequencies; the standard deviation is half of the distance."""

    def frames(rng, number):
        return np.full((5, 16), 127 + distance * (number % 2), np.uint8)

    found = anomalies(videos(frames=frames))
    message = (
        f"audio: the standard deviation is {said}, few quantization steps: rescale the features to a "
        "standard deviation of about 1"
    )
    assert found == ([Anomaly(message)] if said else [])


# Bad records


def bad(good, faults, reason="data CRC mismatch", dataset=DATASET, complete=True):
    gathered = statistics(videos(good), dataset, complete)
    for number in range(faults):
        gathered.add_fault(RecordError(Path("a"), number, reason))
    return list(find_anomalies(gathered, dataset, TRAIN))


@pytest.mark.parametrize(("faults", "is_told"), [(5, False), (6, True)])
def test_more_bad_records_than_the_dataset_allows_are_an_error(faults, is_told):
    message = (
        f"{faults} of 100 records are bad, mostly: data CRC mismatch. `yt8m verify` names the bad records"
    )
    assert bad(100 - faults, faults) == [Anomaly(message, is_error=True)] * is_told
    assert bad(100 - faults, faults, dataset=replace(DATASET, max_skipped=0.06)) == []


@pytest.mark.parametrize(("faults", "is_told"), [(11, False), (12, True)])
def test_a_sample_has_a_margin_of_three_standard_deviations(faults, is_told):
    """5 are expected of 100; 5 + 3 * 5 ** 0.5 is 11.7."""
    assert bool(bad(100 - faults, faults, complete=False)) == is_told


def test_bad_records_alone_are_an_error():
    [found] = bad(0, 10)
    assert found.is_error
    assert found.message.startswith("10 of 10 records are bad")


@pytest.mark.parametrize(("label", "is_told"), [(3862, True), (4715, True), (4716, False)])
def test_one_label_of_the_2017_vocabulary_is_an_error(label, is_told):
    dataset = replace(DATASET, classes=3862)
    found = bad(99, 1, f"labels holds {label}; expected 0 to 3861", dataset, complete=False)
    assert [each.is_error for each in found] == [True] * is_told
    assert not is_told or "of the 2017 vocabulary (4,716 classes)" in found[0].message
