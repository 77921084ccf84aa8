"""Training batches: shuffling, soft labels, mixup, prefetching."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.mixup import mixup
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.loader.prefetch import prefetch
from yt8m_kit.data.reading.soft_labels import SoftLabels, read_digests
from yt8m_kit.dataset import Dataset
from yt8m_kit.pipeline.job import verified
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Member
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath
from yt8m_kit.training.one_read.soft_labels import mixed_labels
from yt8m_kit.training.one_read.subscription import Subscription

AHEAD = 2  # batches prefetched ahead of the step
IN_FLIGHT = 2  # steps that may still be reading their batch when the next one is asked for
HELD = AHEAD + IN_FLIGHT + 1  # batches before the one asked for whose arrays must still be there


def shuffled(
    experiment: Experiment,
    member: Member,
    paths: Sequence[DataPath],
    faults: Faults,
    *,
    strict: bool = False,
    shares: Sequence[tuple[int, int]] | None = None,
    subscription: Subscription | None = None,
) -> Callable[[Any], Generator[Any]]:
    """A function that returns an endless stream of shuffled, prefetched batches from a position on.

    A batch's arrays are overwritten a few batches later. For a member with a teacher, labels are mixed with
    the teacher's soft labels; raises UsageError if these are missing. strict: a bad record raises DataError;
    otherwise it is skipped and added to `faults`.
    shares: (k, n) of the devices of this process, of n in all: the stream then begins at a position for each
    of the n, and yields tuples of batches, one for each share, with every n-th record and 1 / n of the rows.
    subscription: to batches that another process reads for several members.
    """
    soft_labels = soft_labels_of(experiment, member)
    if subscription:
        return _subscribed(subscription, member, experiment.recipe.dataset, soft_labels)

    def stream(start: Position, share: tuple[int, int] = (0, 1)) -> Iterator[Batch]:
        endless = read_batches(
            paths,
            experiment.recipe.dataset,
            member.batch_size // member.accumulate // share[1],
            seed=member.seed,
            epochs=None,
            start=start,
            worker=share,
            strict=strict,
            faults=faults,
            reuse=HELD,
            soft_labels=soft_labels,
        )
        if member.mixup is not None:
            endless = mixup(endless, member.mixup, member.seed, share)
        return endless

    def divided(starts: Sequence[Position]) -> Generator[tuple[Batch, ...]]:
        assert shares is not None
        return prefetch(_together([stream(starts[k], (k, n)) for k, n in shares]), AHEAD)

    return divided if shares else lambda start: prefetch(stream(start), AHEAD)


def soft_labels_of(experiment: Experiment, member: Member) -> SoftLabels | None:
    """The soft labels of a member's teacher, None without one. Raises UsageError if they are missing."""
    if member.teacher is None:
        return None
    index = verified(Stages(experiment).distill(member.teacher))
    return SoftLabels(index.parent, member.teacher_weight, read_digests(index))


def _subscribed(
    subscription: Subscription, member: Member, dataset: Dataset, soft_labels: SoftLabels | None
) -> Callable[[Position], Generator[Batch]]:
    """A function that returns the member's own batches, made of those that another process reads."""
    rows = member.batch_size // member.accumulate
    is_changed = member.mixup is not None or soft_labels is not None

    def stream(start: Position) -> Iterator[Batch]:
        batches = subscription.batches(start, rows, dataset, HELD, is_changed=is_changed)
        if soft_labels is not None:
            batches = mixed_labels(batches, soft_labels)
        return batches if member.mixup is None else mixup(batches, member.mixup, member.seed)

    return lambda start: subscription.until_closed(prefetch(stream(start), AHEAD))


def _together(streams: Sequence[Iterator[Batch]]) -> Generator[tuple[Batch, ...]]:
    """Yield tuples of batches, one of each endless stream."""
    with ExitStack() as stack:
        for stream in streams:
            if isinstance(stream, Generator):
                stack.enter_context(closing(stream))
        yield from zip(*streams)


def statistics_batches(member: Member, dataset: Dataset, paths: Sequence[DataPath]) -> Generator[Batch]:
    """An endless stream of training batches in another order, to estimate BatchNorm statistics."""
    order = member.seed + 1
    endless = read_batches(paths, dataset, member.batch_size, seed=order, epochs=None, reuse=AHEAD + 1)
    return prefetch(endless, AHEAD)
