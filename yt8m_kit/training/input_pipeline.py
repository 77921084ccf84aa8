"""Training batches: shuffling, soft labels, mixup, prefetching."""

from collections.abc import Callable, Generator, Sequence

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
from yt8m_kit.training.steps import IN_FLIGHT

AHEAD = 2  # batches prefetched ahead of the step


def shuffled(
    experiment: Experiment, member: Member, paths: Sequence[DataPath], faults: Faults, *, strict: bool = False
) -> Callable[[Position], Generator[Batch]]:
    """A function that returns an endless stream of shuffled, prefetched batches from a position on.

    A batch's arrays are overwritten a few batches later. For a member with a teacher, labels are mixed with
    the teacher's soft labels; raises UsageError if these are missing. strict: a bad record raises DataError;
    otherwise it is skipped and added to `faults`.
    """
    soft_labels = None
    if member.teacher is not None:
        index = verified(Stages(experiment).distill(member.teacher))
        soft_labels = SoftLabels(index.parent, member.teacher_weight, read_digests(index))

    def batches(start: Position) -> Generator[Batch]:
        endless = read_batches(
            paths,
            experiment.recipe.dataset,
            member.batch_size // member.accumulate,
            seed=member.seed,
            epochs=None,
            start=start,
            strict=strict,
            faults=faults,
            reuse=AHEAD + IN_FLIGHT + 1,
            soft_labels=soft_labels,
        )
        if member.mixup is not None:
            endless = mixup(endless, member.mixup, member.seed)
        return prefetch(endless, AHEAD)

    return batches


def statistics_batches(member: Member, dataset: Dataset, paths: Sequence[DataPath]) -> Generator[Batch]:
    """An endless stream of training batches in another order, to estimate BatchNorm statistics."""
    order = member.seed + 1
    endless = read_batches(paths, dataset, member.batch_size, seed=order, epochs=None, reuse=AHEAD + 1)
    return prefetch(endless, AHEAD)
