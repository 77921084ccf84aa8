"""Verbs that train: members, their averages, soft labels for students."""

from pathlib import Path

from yt8m_kit import backend
from yt8m_kit.cli.places import experiment, part_of


def train(
    recipe: str,
    member: str,
    *,
    data: Path | None = None,
    runs: Path | None = None,
    strict: bool = False,
    anew: bool = False,
) -> Path:
    """Train a member, or resume its training; --strict makes a bad record an error.

    --anew starts over and moves the old files to old/.
    """
    given = experiment(recipe, data, runs)
    backend.start()
    from yt8m_kit.training.train import train

    return train(given, member, strict=strict, anew=anew)


def distill(
    recipe: str,
    teacher: str,
    *,
    top: int | None = None,
    part: str | None = None,
    data: Path | None = None,
    runs: Path | None = None,
    anew: bool = False,
) -> Path:
    """Write a teacher's soft labels for the train split: its graph's top probabilities of each video.

    --top of them; default 100, or all where there are fewer classes. --part=K/N writes those of
    every N-th shard only, as for predict. --anew starts over, as for train.
    """
    given = experiment(recipe, data, runs)
    chosen = part_of(part, anew)
    backend.start("tensorflow")
    from yt8m_kit.inference.distill import distill, distill_part

    if chosen:
        return distill_part(given, teacher, chosen, top=top)
    return distill(given, teacher, top=top, anew=anew)


def average(
    recipe: str, member: str, *, data: Path | None = None, runs: Path | None = None, anew: bool = False
) -> Path:
    """Choose a trained member's final weights: the last ones, or the recipe's average of checkpoints.

    --anew makes them again and moves the old files to old/.
    """
    given = experiment(recipe, data, runs)
    backend.start()
    from yt8m_kit.training.average import average

    return average(given, member, anew=anew)
