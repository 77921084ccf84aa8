"""One pass of a function over a split: batches in file order, prefetched, with a progress bar."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.loader.prefetch import prefetch
from yt8m_kit.dataset import Dataset
from yt8m_kit.output import progress
from yt8m_kit.stores.path import DataPath

BATCH = 128  # videos
REUSE = 4  # batches in the reader's ring: one in prediction, one in the queue, two being filled

Predict = Callable[[Batch], NDArray[np.float32]]
T = TypeVar("T")


def sweep_split(
    function: Callable[[Batch], T],
    dataset: Dataset,
    paths: Sequence[DataPath],
    what: str,
    *,
    start: Position = Position(),  # noqa: B008 - immutable
    done: int = 0,
    strict: bool = False,
) -> Generator[tuple[Batch, T]]:
    """Yield each batch of a split's shards with function(batch), from `start` on; report skipped records.

    what: the bar's label. done: number of videos before `start`. strict: a bad record raises DataError.
    A batch's arrays are overwritten when the next one is drawn.
    """
    total = splits.count(paths)
    faults = Faults(dataset.max_skipped, total)
    batches = read_batches(paths, dataset, BATCH, start=start, strict=strict, faults=faults, reuse=REUSE)
    with progress.bar(total, what, initial=done) as bar:
        yield from sweep(function, batches, bar, faults)
    if faults:
        progress.say(faults.summary())


def sweep(
    function: Callable[[Batch], T], batches: Iterator[Batch], bar: Any, faults: Faults
) -> Generator[tuple[Batch, T]]:
    """Yield each batch with function(batch), prefetching one batch; the bar shows what was skipped."""
    with closing(prefetch(batches, 1)) as ahead:
        for batch in ahead:
            yield batch, function(batch)
            bar.set_postfix(faults.progress, refresh=False)
            bar.update(len(batch.ids))
