"""Verbs that train: members, their averages, soft labels for students."""

from collections.abc import Sequence
from pathlib import Path

from yt8m_kit import backend
from yt8m_kit.cli.places import experiment, part_of
from yt8m_kit.fields import Count
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath


def train(
    recipe: str,
    member: str,
    *more: str,
    data: DataPath | None = None,
    runs: Path | None = None,
    strict: bool = False,
    steps: int | None = None,
    limit_videos: int | None = None,
    devices: str | None = None,
    anew: bool = False,
) -> Path | str | None:
    """Train a member, or resume its training; several from one read, each on a device of its own.

    more: further members, whose weights are those of training them alone (docs/devices.md).
    devices: number of devices, of all processes together, or all; else one (docs/devices.md).
    anew: start over; old files are moved to old/.
    """
    from yt8m_kit.pipeline.sample_check import check_splits
    from yt8m_kit.pipeline.stages import Stages
    from yt8m_kit.training.distributed.launch import Launch, launch
    from yt8m_kit.training.distributed.request import check_batch, check_one, requested
    from yt8m_kit.training.one_read.subscription import subscription

    if more:
        check_one((member, *more), devices)
        return _together(
            experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos),
            (member, *more),
            strict=strict,
            anew=anew,
        )
    subscribed = subscription()
    launched = launch() if devices else Launch()
    wanted = requested(devices, launched)
    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    if wanted:
        check_batch(given.recipe.member(member), member, wanted)
    if not subscribed:  # else the process that reads has done it
        check_splits(Stages(given).train(member), anew=anew)
    backend.start()
    from yt8m_kit.training.train import train

    if wanted is None:
        return train(given, member, strict=strict, anew=anew, subscription=subscribed)
    from yt8m_kit.training.distributed.workers import joined

    with joined(wanted, launched) as workers:
        check_batch(given.recipe.member(member), member, workers.mesh.count)
        return train(given, member, strict=strict, anew=anew, workers=workers)


def _together(given: Experiment, members: Sequence[str], *, strict: bool, anew: bool) -> str:
    from yt8m_kit.training.one_read.together import train_together

    return "\n".join(map(str, train_together(given, members, strict=strict, anew=anew)))


def distill(
    recipe: str,
    teacher: str,
    *,
    top: Count | None = None,
    part: str | None = None,
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Write a teacher's soft labels for the train split: its graph's top probabilities of each video.

    teacher: a member or ensemble of the recipe.
    top: probabilities of each video; else 100, or all where there are fewer classes.
    part: K/N writes those of every N-th shard only, as for predict.
    anew: start over; old files are moved to old/.
    """
    from yt8m_kit.pipeline.sample_check import check_splits
    from yt8m_kit.pipeline.stages import Stages

    chosen = part_of(part, anew)
    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    check_splits(Stages(given).distill(teacher), anew=anew)
    backend.start("tensorflow")
    from yt8m_kit.inference.distill import distill, distill_part

    if chosen:
        return distill_part(given, teacher, chosen, top=top)
    return distill(given, teacher, top=top, anew=anew)


def average(
    recipe: str,
    member: str,
    *,
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Choose a trained member's final weights: the last ones, or the recipe's average of checkpoints."""
    from yt8m_kit.pipeline.messages.beginning import announce
    from yt8m_kit.pipeline.stages import Stages

    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    announce(Stages(given).average(member), anew=anew)
    backend.start()
    from yt8m_kit.training.average import average

    return average(given, member, anew=anew)
