"""Statistics of the videos of a split, gathered while they are read."""

# N videos, n frames of a video, W bytes of a feature

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.format.examples import Video
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, Dataset

_FRAMES = 8  # evenly spaced frames of a video from which the statistics of features are taken
_VALUES = np.arange(256) * DEQUANTIZE_SCALE + DEQUANTIZE_OFFSET


class FeatureStatistics:
    """Histogram of a feature's bytes, int64 (256,), and the range of each column, uint8 (W,)."""

    def __init__(self, name: str, width: int):
        self.name = name
        self.histogram = np.zeros(256, np.int64)
        self.lowest, self.highest = np.full(width, 255, np.uint8), np.zeros(width, np.uint8)

    def add(self, frames_nW: NDArray[np.uint8]) -> None:
        """Add some frames of a video."""
        some = frames_nW[:: -(-len(frames_nW) // _FRAMES)]
        self.histogram += np.bincount(some.ravel(), minlength=256)
        np.minimum(self.lowest, some.min(axis=0), out=self.lowest)
        np.maximum(self.highest, some.max(axis=0), out=self.highest)

    def merge(self, other: "FeatureStatistics") -> None:
        """Add what others have gathered."""
        self.histogram += other.histogram
        np.minimum(self.lowest, other.lowest, out=self.lowest)
        np.maximum(self.highest, other.highest, out=self.highest)

    @property
    def mean(self) -> float:
        """Mean of the dequantized values."""
        return float(np.average(_VALUES, weights=self.histogram))

    @property
    def deviation(self) -> float:
        """Standard deviation of the dequantized values, over all columns."""
        return float(np.average((_VALUES - self.mean) ** 2, weights=self.histogram) ** 0.5)

    @property
    def clipped(self) -> float:
        """Share of the values at the ends of the range of bytes, to which values beyond it are clipped."""
        return float((self.histogram[0] + self.histogram[-1]) / self.histogram.sum())

    @property
    def constant(self) -> int:
        """Number of columns that hold one value only."""
        return int((self.lowest == self.highest).sum())


class SplitStatistics:
    """Statistics of N videos. videos: N. labelled, repeating: videos with labels, with labels that repeat.

    labels: videos by class. label_sets: videos by their labels, for the first distinct ones. num_frames:
    videos by number of frames. skipped: bad records. reasons: why, by frequency. is_complete: the records
    are all of the split's.
    """

    def __init__(self, dataset: Dataset):
        self.videos = self.labelled = self.repeating = self.skipped = 0
        self.labels: Counter[int] = Counter()
        self.label_sets: set[tuple[int, ...]] = set()
        self.num_frames: Counter[int] = Counter()
        self.reasons: Counter[str] = Counter()
        self.features = [FeatureStatistics(*feature) for feature in dataset.features]
        self.is_complete = True
        self._ids: list[str] = []
        self._packed: list[NDArray[np.bytes_]] = []  # a fifth of the memory

    def add(self, video: Video) -> None:
        """Add a good record."""
        self.videos += 1
        self._ids.append(video.id)
        distinct = tuple(sorted(set(video.labels)))
        self.labelled += bool(distinct)
        self.repeating += len(distinct) < len(video.labels)
        self.labels.update(distinct)
        if len(self.label_sets) < 2:
            self.label_sets.add(distinct)
        self.num_frames[len(video.features[0])] += 1
        for statistics, frames in zip(self.features, video.features):
            statistics.add(frames)

    def add_fault(self, fault: RecordError, most: int | None = None) -> None:
        """Add a bad record, with those that it hides, together `most` at most."""
        self.reasons[fault.reason] += 1
        self.skipped += 1 + (fault.hidden if most is None else min(fault.hidden, most - 1))

    def merge(self, other: "SplitStatistics") -> None:
        """Add what others have gathered."""
        for name in ("videos", "labelled", "repeating", "skipped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("labels", "label_sets", "num_frames", "reasons"):
            getattr(self, name).update(getattr(other, name))
        for mine, others in zip(self.features, other.features):
            mine.merge(others)
        self.is_complete &= other.is_complete
        self._packed += [*other._packed, _packed(other._ids)]

    @property
    def records(self) -> int:
        """Number of records, good and bad."""
        return self.videos + self.skipped

    def ids(self) -> NDArray[np.bytes_]:
        """The ids of the videos, UTF-8, sorted."""
        return np.sort(np.concatenate([*self._packed, _packed(self._ids)]))


def _packed(ids: Iterable[str]) -> NDArray[np.bytes_]:
    return np.array([each.encode() for each in ids], np.bytes_)
