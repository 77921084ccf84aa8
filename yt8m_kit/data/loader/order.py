"""The order in which the records of a split are read, a function of seed and epoch alone."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from yt8m_kit.errors import UsageError
from yt8m_kit.stores.path import DataPath


class Position(NamedTuple):
    """A position between two records: the epochs, groups of the epoch and records of the group before it.

    Records are counted among those of one worker, so a position is only valid for the arguments it came from.
    """

    epoch: int = 0
    group: int = 0
    record: int = 0


class ShuffledOrder(NamedTuple):
    """Epochs over the shards in groups of `mix`, shuffled by `seed` (None: file order), from `start` on.

    last: the number of epochs; None: endless. worker: (k, n), every n-th record of each group's order.
    """

    paths: Sequence[DataPath]
    seed: int | None
    last: int | None
    start: Position
    worker: tuple[int, int]
    mix: int

    def visits(self) -> Iterator[tuple[Position, list[DataPath], Position]]:
        """Yield for each group: where its epoch begins, its shards, and where to start in it.

        An epoch begins at its first record, or at `start` if that lies within the epoch.
        """
        first = self.start.epoch
        numbers: Iterable[int] = itertools.count(first) if self.last is None else range(first, self.last)
        for epoch in numbers:
            begin = self.start if epoch == first else Position(epoch)
            for paths, position in self._groups(begin):
                yield begin, paths, position

    def _groups(self, begin: Position) -> Iterator[tuple[list[DataPath], Position]]:
        """Yield the shards of each group from `begin` to the end of its epoch, and where to start in it."""
        shards: Sequence[int] = range(len(self.paths))
        if self.seed is not None:
            shards = np.random.default_rng((self.seed, begin.epoch)).permutation(len(self.paths)).tolist()
        for group in range(begin.group, -(-len(shards) // self.mix)):
            members = shards[group * self.mix : (group + 1) * self.mix]
            position = begin if group == begin.group else Position(begin.epoch, group)
            yield [self.paths[shard] for shard in members], position

    def records(self, count: int, at: Position, *, hidden: bool = False) -> list[int]:
        """Return this worker's records of the group at `at`, numbers below `count`, in reading order.

        hidden: a framing error hides some records of the group. Otherwise raises UsageError if `at` lies
        beyond the last record.
        """
        share, workers = self.worker
        order = np.arange(count)
        if self.seed is not None:
            order = np.random.default_rng((self.seed, at.epoch, at.group)).permutation(count)
        # Rotate the first worker, so that over groups and epochs all get the same number of records.
        mine: list[int] = order[(share + at.epoch + at.group) % workers :: workers].tolist()
        if at.record > len(mine) and not hidden:
            raise UsageError(
                f"cannot continue at {at}: the group has {len(mine)} records; did the shards change?"
            )
        return mine
