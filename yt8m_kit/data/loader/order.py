"""The order in which the records of a split are visited, a function of seed and epoch alone."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yt8m_kit.errors import UsageError


class Position(NamedTuple):
    """A place between two records: so many epochs, groups of the epoch, records of the group lie behind it.

    The records are counted among those of one worker: a place belongs to the arguments it was got with.
    """

    epoch: int = 0
    group: int = 0
    record: int = 0


class Walk(NamedTuple):
    """Epochs over the shards in groups of `mix`, shuffled by `seed` (None: in order), from `start` on.

    worker: (k, n), every n-th record of each group's order. last: the number of epochs, None without end.
    """

    paths: Sequence[Path]
    seed: int | None
    last: int | None
    start: Position
    worker: tuple[int, int]
    mix: int

    def visits(self) -> Iterator[tuple[Position, list[Path], Position]]:
        """For each group: where its epoch begins, its shards, and where to begin in it.

        An epoch begins at its first record, or at `start` where that lies within.
        """
        first = self.start.epoch
        numbers: Iterable[int] = itertools.count(first) if self.last is None else range(first, self.last)
        for epoch in numbers:
            begin = self.start if epoch == first else Position(epoch)
            for paths, position in self._groups(begin):
                yield begin, paths, position

    def _groups(self, begin: Position) -> Iterator[tuple[list[Path], Position]]:
        """The shards of each group from `begin` to the end of its epoch, and where to begin in the group."""
        shards: Sequence[int] = range(len(self.paths))
        if self.seed is not None:
            shards = np.random.default_rng((self.seed, begin.epoch)).permutation(len(self.paths)).tolist()
        for group in range(begin.group, -(-len(shards) // self.mix)):
            members = shards[group * self.mix : (group + 1) * self.mix]
            position = begin if group == begin.group else Position(begin.epoch, group)
            yield [self.paths[shard] for shard in members], position

    def order(self, records: int, at: Position, *, hidden: bool = False) -> list[int]:
        """This worker's records of the group at `at`, numbers below `records`, in the order of its visit.

        hidden: some records of the group can no longer be found. Unless so, raises UsageError if `at` lies
        beyond those that there are.
        """
        share, workers = self.worker
        order = np.arange(records)
        if self.seed is not None:
            order = np.random.default_rng((self.seed, at.epoch, at.group)).permutation(records)
        # Who begins changes, so that over the groups and epochs no worker gets more records than another.
        mine: list[int] = order[(share + at.epoch + at.group) % workers :: workers].tolist()
        if at.record > len(mine) and not hidden:
            raise UsageError(
                f"cannot continue at {at}: the group has {len(mine)} records; did the shards change?"
            )
        return mine
