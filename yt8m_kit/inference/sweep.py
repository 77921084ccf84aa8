"""A model's probabilities on a split with labels, and the GAP@20 by which stages choose.

# N videos, C classes
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.prefetch import prefetch
from yt8m_kit.dataset import Dataset
from yt8m_kit.output import progress

BATCH = 128

Predict = Callable[[Batch], NDArray[np.float32]]


def _predicted(
    predict: Predict, dataset: Dataset, paths: list[Path], what: str, strict: bool
) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
    faults = Faults()
    batches = prefetch(read_batches(paths, dataset, BATCH, strict=strict, faults=faults, reuse=4), 1)
    with closing(batches), progress.bar(splits.count(paths), what) as bar:
        for batch in batches:
            yield batch, predict(batch)
            bar.update(len(batch.ids))
    if faults:
        progress.say(faults.summary())
