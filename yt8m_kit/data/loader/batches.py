"""Batches of videos from the shards of a split: shuffled, sharded among workers, exactly resumable.

Generators of numpy arrays. Features stay quantized (uint8): dequantization is part of the model's graph.
"""

# B videos of a batch, T frames (padded to max_frames), D bytes of a frame, C classes

import itertools
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position, ShuffledOrder
from yt8m_kit.data.reading.batch_buffer import BatchBuffer
from yt8m_kit.data.reading.gather import Allocate, row_reader
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.soft_labels import GroupLabels, SoftLabels
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output.progress import plural
from yt8m_kit.stores.path import DataPath


class Batch(NamedTuple):
    """B videos. frames: uint8 (B, T, D), features concatenated, zero-padded. num_frames: int32 (B,).

    labels: float32 (B, C), multi-hot, all zero where the records have none. ids: one per video.
    position: where to resume after this batch. shards: of each video, where read_batches made the batch.
    """

    frames: np.ndarray
    num_frames: np.ndarray
    labels: np.ndarray
    ids: list[str]
    position: Position
    shards: Sequence[DataPath] = ()


def read_batches(
    paths: Sequence[DataPath],
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int | None = None,
    epochs: int | None = 1,
    start: Position = Position(),  # noqa: B008 - immutable
    worker: tuple[int, int] = (0, 1),
    strict: bool = False,
    faults: Faults | None = None,
    check_crc: bool = True,
    readers: int | None = None,
    reuse: int = 0,
    mix: int = 16,
    by_group: bool = False,
    soft_labels: SoftLabels | None = None,
    allocate: Allocate | None = None,
) -> Iterator[Batch]:
    """Yield batches of batch_size videos across epochs; only the very last one may be smaller.

    seed: None reads in file order. A number shuffles the shards of an epoch, then all records of each group
    of `mix` shards. So a split of at most `mix` shards is shuffled globally, a larger one within groups whose
    shards (about 250 MB each at full size) should fit into memory together.
    epochs: None repeats forever; else the total number, including epochs before `start`.
    start: the position of an earlier batch; the batches after it are repeated exactly, bad records included.
    worker: (k, n) takes every n-th record of the common order. The n workers together read each record once
    per epoch, and the same number of records each, but for the remainder of a group, which rotates.
    strict: raise at the first bad record or shard instead of skipping it. faults: collects what was skipped,
    and raises DataError where that is too much.
    check_crc: of the payloads; the CRC of record headers is always checked.
    readers: processes that read the records of a batch. 1 is this process; n > 1 starts n others. None takes
    the number from YT8M_READERS, 1 by default.
    reuse: 0 gives every batch its own arrays, at the cost of a copy. k > 0 takes them from a ring: a batch's
    arrays are overwritten when the (k + 1)-th batch after it is requested. Both are aligned to 64 bytes.
    by_group: end a batch with its group of `mix` shards; an epoch without a good record is no error.
    soft_labels: a teacher's, mixed into the labels.
    allocate: called once with a number of bytes, it returns the descriptor of a file in memory, closed here,
    whose buffers (batch_buffer.shared_buffers) hold the arrays, each batch in the next one in turn; for
    reuse > 0.

    Raises UsageError for arguments out of range or a `start` beyond the data; DataError for a shard that
    cannot be opened, for an epoch without a good record and, if strict, for any bad record or shard.
    """
    share, workers = worker
    readers = _readers() if readers is None else readers
    wrong = [
        f"{name} must be at least {least}; got {value}."
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("seed", 0 if seed is None else seed, 0),
            ("epochs", 1 if epochs is None else epochs, 0),
            ("readers", readers, 1),
            ("reuse", reuse, 0),
            ("mix", mix, 1),
            ("the number of shards", len(paths), 1),
        )
        if value < least
    ]
    if not 0 <= share < workers:
        wrong.append(f"worker must be (k, n) with 0 <= k < n; got {worker}.")
    if wrong:
        raise UsageError(" ".join(wrong))
    order = ShuffledOrder(paths, seed, epochs, start, worker, mix)
    faults = Faults() if faults is None else faults
    reader = _Reader(order, dataset, batch_size, strict, faults, by_group, soft_labels)
    return reader.batches(check_crc, readers, reuse, allocate)


def _readers() -> int:
    """The number in YT8M_READERS. Raises UsageError unless it is a positive integer."""
    asked = os.environ.get("YT8M_READERS", "1")
    if not asked.isdecimal() or int(asked) < 1:
        raise UsageError(f"YT8M_READERS must be a number above 0; got {asked!r}.")
    return int(asked)


class _OpenGroup(NamedTuple):
    """An open shard group, its soft labels, where its epoch begins and where to start in it."""

    shards: ShardGroup
    soft_labels: GroupLabels | None
    epoch: Position
    start: Position


class _Reader:
    """One run through the data: good records fill batches, bad ones are collected."""

    def __init__(
        self,
        order: ShuffledOrder,
        dataset: Dataset,
        batch_size: int,
        strict: bool,
        faults: Faults,
        by_group: bool,
        soft_labels: SoftLabels | None,
    ):
        self._by_group, self._soft_labels = by_group, soft_labels
        self._order, self._dataset, self._batch_size = order, dataset, batch_size
        self._strict, self._faults = strict, faults
        self._good = self._bad = 0  # in the epoch so far

    def batches(
        self, check_crc: bool, readers: int, reuse: int, allocate: Allocate | None
    ) -> Iterator[Batch]:
        filled, position = 0, self._order.start
        with row_reader(self._dataset, check_crc, readers, allocate) as reader:
            buffers = itertools.cycle(reader.buffers(reuse + 1, self._batch_size))
            buffer = next(buffers)
            for group, order in self._groups():
                shards, position = group.shards, group.start
                shards.advise(order[position.record : position.record + self._batch_size])
                while position.record < len(order):
                    records = order[position.record : position.record + self._batch_size - filled]
                    position = position._replace(record=position.record + len(records))
                    following = order[position.record : position.record + self._batch_size]
                    shards.advise(following)
                    faults = reader.collect(buffer, filled, shards, records, group.soft_labels)
                    self._count(faults, len(records) - len(faults))
                    filled += len(records) - len(faults)
                    if filled == self._batch_size or (filled and self._by_group and not following):
                        full, size, buffer, filled = buffer, filled, next(buffers), 0
                        if following:
                            reader.request(buffer, shards, following)
                        yield _batch(full if reuse else full.copy(size), size, position)
            if filled:
                yield _batch(buffer, filled, position)

    def _groups(self) -> Iterator[tuple[_OpenGroup, list[int]]]:
        """Each group, open, and the order of its records."""
        epoch = None
        for group in _opened(self._order.visits(), self._soft_labels):
            with group.shards as shards:
                if group.epoch != epoch:
                    self._end_epoch(epoch)
                    epoch = group.epoch
                self._count(shards.faults, 0)
                yield group, self._order.records(len(shards), group.start, hidden=bool(shards.faults))
        self._end_epoch(epoch)

    def _end_epoch(self, begin: Position | None) -> None:
        """Raises DataError if a complete epoch, one that began at its first record, had no good record."""
        complete = begin is not None and begin == Position(begin.epoch) and not self._by_group
        if complete and not self._good and (self._bad or self._order.last is None):
            reasons = self._faults.summary() or f"worker {self._order.worker} has no record"
            raise DataError(f"no usable record in {plural(len(self._order.paths), 'shard')}: {reasons}")
        if complete:
            self._faults.end_epoch()
        self._good = self._bad = 0

    def _count(self, faults: Sequence[RecordError], good: int) -> None:
        self._good += good
        self._bad += len(faults)
        if self._strict and faults:
            raise faults[0]
        self._faults.count(good, faults)


def _opened(
    visits: Iterator[tuple[Position, list[DataPath], Position]], soft_labels: SoftLabels | None
) -> Iterator[_OpenGroup]:
    """Open the groups, each in the background while the one before is read; the caller closes them."""
    ended = threading.Event()  # which stops copies from an object store

    def opened(epoch: Position, paths: list[DataPath], start: Position) -> _OpenGroup:
        # Soft labels first: if they fail, no shard is open yet.
        labels = soft_labels.of(paths) if soft_labels else None
        return _OpenGroup(ShardGroup(paths, cancelled=ended), labels, epoch, start)

    with ThreadPoolExecutor(1, "open") as pool:
        ahead = (pool.submit(opened, *visit) for visit in visits)
        following = next(ahead, None)
        try:
            while following:
                group = following.result()
                following = next(ahead, None)
                yield group
        finally:
            ended.set()
            if following and following.exception() is None:
                following.result().shards.close()


def _batch(buffer: BatchBuffer, size: int, position: Position) -> Batch:
    frames, num_frames, labels = buffer.frames[:size], buffer.num_frames[:size], buffer.labels[:size]
    return Batch(frames, num_frames, labels, buffer.ids[:size], position, buffer.shards[:size])
