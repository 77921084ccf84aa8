"""Batches of videos from the shards of a split: shuffled as a whole, shared among workers, resumed exactly.

Plain generators of numpy arrays. Bytes stay bytes: dequantization belongs to the model's graph.
"""

# B videos of a batch, T frames (padded to max_frames), D bytes of a frame, C classes

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position, Walk
from yt8m_kit.data.reading.batch_buffer import Slot
from yt8m_kit.data.reading.gather import gatherer
from yt8m_kit.data.reading.shard_group import Group
from yt8m_kit.data.reading.soft_labels import SoftLabels
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output.progress import plural


class Batch(NamedTuple):
    """B videos. frames: uint8 (B, T, D), features side by side, zero padded. num_frames: int32 (B,).

    labels: float32 (B, C), 1 where the video has the label, all zero where the records hold none.
    ids: one a video. position: where to continue after this batch.
    """

    frames: np.ndarray
    num_frames: np.ndarray
    labels: np.ndarray
    ids: list[str]
    position: Position


def read_batches(
    paths: Sequence[Path],
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
    soft_labels: SoftLabels | None = None,
) -> Iterator[Batch]:
    """Batches of batch_size videos, over the ends of epochs; only the very last may be smaller.

    seed: None reads in the order of the files. A number shuffles: the shards of an epoch, then, for each
    `mix` of them, all their records; so a split of at most `mix` shards is shuffled as a whole, and a larger
    one within groups whose shards (about 250 MB each at full size) should fit into memory together.
    epochs: None repeats for ever; else the number in all, those before `start` included.
    start: the position of an earlier batch; what followed it comes again exactly, also where records are bad.
    worker: (k, n) takes every n-th record of the common order; the n workers together see each record once an
    epoch, and the same number of them but for the remainder of a group, which they get in turn.
    strict: raise at the first bad record or shard instead of skipping it. faults: collects what was skipped.
    check_crc: of the payloads; that of a record's header is checked always.
    readers: the processes that gather the records of a batch: 1 is this one, more are so many beside it.
    None: what YT8M_READERS says, else 1.
    reuse: 0 gives every batch arrays of its own. k > 0 takes them from a ring: a batch's arrays are
    overwritten once k further batches were drawn and one more is asked for. Either way they are aligned to 64
    bytes; 0 costs a copy.

    soft_labels: a teacher's, mixed into the labels.

    Raises UsageError for arguments out of range or a `start` beyond the data; DataError for a shard that
    cannot be opened, for an epoch in which nothing is good and, if strict, for whatever is bad.
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
    walk = Walk(paths, seed, epochs, start, worker, mix)
    reader = _Reader(walk, dataset, batch_size, strict, Faults() if faults is None else faults, soft_labels)
    return reader.batches(check_crc, readers, reuse)


def _readers() -> int:
    """What YT8M_READERS asks for. Raises UsageError if that is no number above 0."""
    asked = os.environ.get("YT8M_READERS", "1")
    if not asked.isdecimal() or int(asked) < 1:
        raise UsageError(f"YT8M_READERS must be a number above 0; got {asked!r}.")
    return int(asked)


class _Reader:
    """One run through the data: what is good fills batches, what is bad is noted."""

    def __init__(
        self,
        walk: Walk,
        dataset: Dataset,
        batch_size: int,
        strict: bool,
        faults: Faults,
        soft_labels: SoftLabels | None,
    ):
        self._soft_labels = soft_labels
        self._walk, self._dataset, self._batch_size = walk, dataset, batch_size
        self._strict, self._faults = strict, faults
        self._good = self._bad = 0  # in the epoch so far

    def batches(self, check_crc: bool, readers: int, reuse: int) -> Iterator[Batch]:
        filled, position = 0, self._walk.start
        with gatherer(self._dataset, check_crc, readers) as team:
            slots = itertools.cycle(team.slots(reuse + 1, self._batch_size))
            slot = next(slots)
            for group, order, position in self._groups():
                group.expect(order[position.record : position.record + self._batch_size])
                while position.record < len(order):
                    records = order[position.record : position.record + self._batch_size - filled]
                    position = position._replace(record=position.record + len(records))
                    following = order[position.record : position.record + self._batch_size]
                    group.expect(following)
                    faults = team.fill(slot, filled, group, records)
                    self._note(faults, len(records) - len(faults))
                    filled += len(records) - len(faults)
                    if filled == self._batch_size:
                        full, slot, filled = slot, next(slots), 0
                        if following:
                            team.begin(slot, group, following)
                        yield _batch(full if reuse else full.copy(len(full.ids)), len(full.ids), position)
            if filled:
                yield _batch(slot, filled, position)

    def _groups(self) -> Iterator[tuple[Group, list[int], Position]]:
        """Each group, open, the order of its records and where to begin in it."""
        begun = None
        for begin, opened, position in _opened(self._walk.visits(), self._soft_labels):
            with opened as group:
                if begin != begun:
                    self._end_epoch(begun)
                    begun = begin
                self._note(group.faults, 0)
                order = self._walk.order(len(group), position, hidden=bool(group.faults))
                yield group, order, position
        self._end_epoch(begun)

    def _end_epoch(self, begun: Position | None) -> None:
        """Raises DataError if a whole epoch, from where it began, had nothing good."""
        whole = begun is not None and begun == Position(begun.epoch)
        if whole and not self._good and (self._bad or self._walk.last is None):
            reasons = self._faults.summary() or f"worker {self._walk.worker} has no record"
            raise DataError(f"no usable record in {plural(len(self._walk.paths), 'shard')}: {reasons}")
        self._good = self._bad = 0

    def _note(self, faults: Sequence[RecordError], good: int) -> None:
        self._good += good
        self._bad += len(faults)
        for fault in faults:
            if self._strict:
                raise fault
            self._faults.add(fault)


def _opened(
    visits: Iterator[tuple[Position, list[Path], Position]], soft_labels: SoftLabels | None
) -> Iterator[tuple[Position, Group, Position]]:
    """The groups of shards, open, to be closed by who gets them; the next one is opened meanwhile."""
    with ThreadPoolExecutor(1, "open") as pool:
        ahead = (
            (begin, pool.submit(Group, paths, soft_labels), position) for begin, paths, position in visits
        )
        following = next(ahead, None)
        try:
            while following:
                begin, group, position = following
                opened = group.result()
                following = next(ahead, None)
                yield begin, opened, position
        finally:
            if following and following[1].exception() is None:
                following[1].result().close()


def _batch(slot: Slot, size: int, position: Position) -> Batch:
    return Batch(slot.frames[:size], slot.num_frames[:size], slot.labels[:size], slot.ids[:size], position)
