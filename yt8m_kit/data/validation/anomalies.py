"""What speaks against training on a split, or predicting it, although its records are valid one by one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from yt8m_kit.data.format.video_id import is_usable
from yt8m_kit.data.loader.remedies import CLASSES_2017, remedy
from yt8m_kit.data.validation.statistics import FeatureStatistics, SplitStatistics
from yt8m_kit.dataset import Dataset
from yt8m_kit.output.progress import plural

_ENOUGH = 20  # videos from which a property of all of them is no chance
_LABELLED = 0.95  # share of labelled videos below which there is a warning
_CLIPPED = 0.3  # share of values at the limits; AudioSet has 0.18, a normal distribution of deviation 2 0.32
_DEVIATION = 0.1  # least standard deviation; YouTube-8M's video means have 0.46
_RESCALE = "rescale the features to a standard deviation of about 1"


class Anomaly(NamedTuple):
    """One sentence. is_error: the split cannot be used."""

    message: str
    is_error: bool = False


class Use(NamedTuple):
    """What a split is read for. labels: it needs them. unique: its ids must be those of rows of a CSV."""

    labels: bool
    unique: bool


def find_anomalies(
    statistics: SplitStatistics, dataset: Dataset, use: Use, other_keys: Sequence[str] = ()
) -> Iterator[Anomaly]:
    """Yield the anomalies of a split, errors and warnings. other_keys: keys that may hold missing labels."""
    yield from _bad_records(statistics, dataset)
    if not statistics.videos:
        return
    if use.labels:
        yield from _labels(statistics, dataset, other_keys)
    yield from _ids(statistics, use)
    if max(statistics.num_frames) == 1 < dataset.max_frames:
        yield Anomaly(
            "every video has one frame, as video-level records have: where frames are wanted, take "
            "frame-level records; otherwise set max_frames=1 in the recipe's Dataset"
        )
    for feature in statistics.features:
        yield from _feature(feature, statistics.videos)


def _bad_records(statistics: SplitStatistics, dataset: Dataset) -> Iterator[Anomaly]:
    expected = dataset.max_skipped * statistics.records
    margin = 0 if statistics.is_complete else 3 * expected**0.5  # of a sample: three standard deviations
    advice = remedy(statistics.reasons) if statistics.reasons else ""
    if statistics.skipped > expected + margin or f"{CLASSES_2017:,}" in advice:
        [(reason, _)] = statistics.reasons.most_common(1)
        yield Anomaly(
            f"{statistics.skipped:,} of {plural(statistics.records, 'record')} are bad, mostly: {reason}. "
            f"{advice.removesuffix('.')}",
            is_error=True,
        )


def _labels(statistics: SplitStatistics, dataset: Dataset, other_keys: Sequence[str]) -> Iterator[Anomaly]:
    share = statistics.labelled / statistics.videos
    highest = max(statistics.labels, default=0)
    if not share:
        yield Anomaly(f"no video has labels{_elsewhere(other_keys)}", is_error=True)
    elif share < _LABELLED:
        yield Anomaly(f"{1 - share:.0%} of the videos have no labels and count as negatives of every class")
    if statistics.repeating > statistics.videos / 2:
        yield Anomaly(
            "labels repeat within most videos; expected the numbers of a video's classes, each once"
            + ", not a vector of zeros and ones" * (highest <= 1),
            is_error=highest <= 1,
        )
    elif share and len(statistics.label_sets) == 1 and statistics.videos >= _ENOUGH and dataset.classes > 1:
        yield Anomaly(f"all videos have the same labels, {[*min(statistics.label_sets)]}")
    elif share and statistics.is_complete and (highest + 1) * 2 < dataset.classes:
        yield Anomaly(
            f"no label is above {highest}, but classes={dataset.classes}: set classes to the true number"
        )


def _elsewhere(keys: Sequence[str]) -> str:
    if not keys:
        return ""
    return (
        f"; there are integers under {' and '.join(map(repr, keys))}: if these are labels, set "
        f"label_keys={(keys[0],)!r} in the recipe's Dataset"
    )


def _ids(statistics: SplitStatistics, use: Use) -> Iterator[Anomaly]:
    ids = statistics.ids()
    repeated = ids[1:][ids[1:] == ids[:-1]]
    if len(repeated):
        share = f"{len(repeated):,} of {plural(statistics.videos, 'video')}"
        yield Anomaly(f"ids occur again in {share}, e.g. {repeated[0].decode()!r}", use.unique)
    odd = [text for each in np.unique(ids) if not is_usable(text := each.decode())]
    if odd:
        yield Anomaly(
            f"ids hold blanks or commas ({len(odd):,} of {len(ids):,}), e.g. {odd[0]!r}, which no CSV of "
            "predictions can hold: `yt8m convert` replaces them",
            use.unique,
        )


def _feature(feature: FeatureStatistics, videos: int) -> Iterator[Anomaly]:
    name, constant, width = feature.name, feature.constant, len(feature.lowest)
    if constant == width:
        if videos >= _ENOUGH:
            yield Anomaly(f"{name} is constant: remove it from the recipe's Dataset, or extract it again")
        return
    if constant and videos >= _ENOUGH:
        yield Anomaly(f"{name}: {constant} of {width} columns are constant")
    if feature.clipped > _CLIPPED:
        yield Anomaly(
            f"{name}: {feature.clipped:.0%} of the values are at the limits -2 and 2, to which floats are "
            f"clipped: {_RESCALE}"
        )
    elif feature.deviation < _DEVIATION:
        yield Anomaly(
            f"{name}: the standard deviation is {feature.deviation:.3f}, few quantization steps: {_RESCALE}"
        )
