"""Small trials of a recipe: fewer steps, fewer videos, in a folder of their own."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Ema, Member, Range, Recipe

FOLDER = "trials"  # of all trials, in the folder of all runs
SETTING = "trial"  # name of the limits among the settings of a trial's products
FEWEST = 2  # videos: calibration and the search of weights split them in two


@dataclass(frozen=True)
class Trial:
    """Limits of a trial, None for the recipe's own values.

    steps: of each member, and at most of its EMA stage. limit_videos: the first records of each split, in the
    order of its files. batch_size: in training.
    Raises UsageError for values out of range.
    """

    steps: int | None = None
    limit_videos: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("limit_videos", FEWEST)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"--{name} must be at least {least}; got {value}.")

    def limits(self) -> dict[str, int]:
        """The limits that are set; they are part of the settings of every product of the trial."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def options(self) -> tuple[str, ...]:
        """The limits as options of a command line."""
        return tuple(f"--{name}={value}" for name, value in self.limits().items())

    def shorten(self, recipe: Recipe) -> Recipe:
        """The recipe with all members shortened."""
        return replace(
            recipe, members={name: self.shorten_member(each) for name, each in recipe.members.items()}
        )

    def shorten_member(self, member: Member) -> Member:
        """The member with the trial's steps and batch; averages are scaled, so that they find checkpoints."""
        if self.batch_size is not None:
            batch_size = member.accumulate * math.ceil(self.batch_size / member.accumulate)
            member = replace(member, batch_size=batch_size)
        if isinstance(member.average, Range):
            member = _scaled(member, member.average, self._most_steps(member))
        if self.steps is None:
            return member
        average = member.average
        if isinstance(average, Ema):
            average = replace(average, steps=min(self.steps, average.steps or self.steps), epochs=None)
        batches = min(self.steps, member.statistics_batches)
        return replace(member, steps=self.steps, epochs=None, average=average, statistics_batches=batches)

    def _most_steps(self, member: Member) -> int | None:
        """Upper bound of the steps of a training; None if only the size of the split tells."""
        if self.steps is not None or member.steps is not None:
            return self.steps or member.steps
        if self.limit_videos is None:
            return None
        return math.ceil((member.epochs or 0) * self.limit_videos / member.batch_size)


def _scaled(member: Member, average: Range, steps: int | None) -> Member:
    """The member with its range of averaged checkpoints, and their distance, scaled to fewer steps."""
    if steps is None or steps >= average.last:
        return member
    scaled = Range(average.first * steps // average.last, steps, average.searched)
    distance = math.ceil(member.checkpoint_steps * steps / average.last)
    return replace(member, average=scaled, checkpoint_steps=distance)


def limits_in(settings: Mapping[str, Any]) -> str:
    """Format the limits of the trial that a product with these settings is of; empty if it is of none."""
    return ", ".join(f"{name}={value}" for name, value in (settings.get(SETTING) or {}).items())
