"""Statistics of a split in a few lines."""

from collections import Counter

from yt8m_kit.data.validation.statistics import FeatureStatistics, SplitStatistics
from yt8m_kit.dataset import Dataset
from yt8m_kit.output.progress import plural


def summary(statistics: SplitStatistics, dataset: Dataset) -> list[str]:
    """One line about videos, labels and frames, and one about each feature."""
    if not statistics.videos:
        return [f"{plural(statistics.skipped, 'record')}, all bad"]
    parts = [f"{plural(statistics.videos, 'video')}, {_labels(statistics, dataset)}", _frames(statistics)]
    parts += [f"{statistics.skipped / statistics.records:.1%} of the records bad"] * bool(statistics.skipped)
    return ["; ".join(parts), *map(_feature, statistics.features)]


def _labels(statistics: SplitStatistics, dataset: Dataset) -> str:
    counts = statistics.labels
    if not counts:
        return "none labelled"
    share = statistics.labelled / statistics.videos
    each = counts.total() / statistics.labelled
    most, videos = counts.most_common(1)[0]
    return (
        f"{share:.0%} labelled with {each:.1f} labels each, {len(counts):,} of {dataset.classes:,} classes, "
        f"most often {most} ({videos / statistics.videos:.0%} of the videos)"
    )


def _frames(statistics: SplitStatistics) -> str:
    counts = statistics.num_frames
    least, most = min(counts), max(counts)
    if least == most:
        return plural(most, "frame") + " each"
    return f"{least} to {most} frames, median {_median(counts)}"


def _median(counts: Counter[int]) -> int:
    half, passed = counts.total() / 2, 0
    for value in sorted(counts):
        passed += counts[value]
        if passed >= half:
            break
    return value


def _feature(feature: FeatureStatistics) -> str:
    constant = f", {plural(feature.constant, 'constant column')}" if feature.constant else ""
    return (
        f"{feature.name}: mean {feature.mean:.2f}, standard deviation {feature.deviation:.2f}, "
        f"{feature.clipped:.1%} at the limits -2 and 2{constant}"
    )
