"""Number of videos of each label in the shards of a split."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yt8m_kit.data.format.examples import labels_of
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer
from yt8m_kit.dataset import Dataset

COUNTED = 1 << 30  # bytes of a split up to which its labels are counted for a report


def count_labels(paths: Sequence[Path], dataset: Dataset) -> dict[int, int]:
    """Count the videos of each label, 0 for labels that do not occur; bad records are skipped.

    Frames are read but not parsed. Raises DataError if a shard cannot be opened or read.
    """
    found: Counter[int] = Counter(dict.fromkeys(range(dataset.classes), 0))
    buffer = RecordBuffer()

    def labels(payload: np.ndarray) -> list[int]:
        return labels_of(payload, dataset)

    for path in paths:
        with ShardGroup([path]) as group:
            for record in range(len(group)):
                try:
                    found.update(set(group.read(record, labels, buffer, check_crc=False)))
                except RecordError:
                    continue
    return dict(found)
