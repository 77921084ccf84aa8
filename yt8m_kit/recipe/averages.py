"""How a member's weights are averaged: over checkpoints, or by a second stage of training."""

import math
from dataclasses import dataclass
from typing import Annotated

from yt8m_kit.errors import UsageError
from yt8m_kit.fields import Count, Interval, Positive, Whole, checked


@checked
@dataclass(frozen=True)
class Range:
    """The equal-weight mean of the checkpoints with first <= step <= last (Liu & Liu, YT8M-T).

    searched: 1 uses that range; n > 1 tries n ranges with the same end and evenly spaced starts.
    Raises UsageError for a wrong value.
    """

    first: Whole
    last: Whole
    searched: Count = 1

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise UsageError(f"a range needs 0 <= first <= last; got first={self.first}, last={self.last}.")


@checked
@dataclass(frozen=True)
class Ema:
    """The exponential moving average of a second stage of training that starts from the converged weights.

    Fresh optimiser slots, its own learning rate, an average updated after every batch (first place). gamma is
    the weight of the newest values: what their code calls half-life is 1 / gamma; the true half-life is
    log(2) / gamma batches. The length is given as steps or as epochs. Raises UsageError for a wrong value.
    """

    steps: Count | None = None
    epochs: Positive | None = None
    learning_rate: Positive = 8e-5
    gamma: Annotated[float, Interval(0, 1, low_open=True)] = 1 / 3000

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise UsageError(
                f"an EMA stage has either steps or epochs; got steps={self.steps}, epochs={self.epochs}."
            )

    def steps_of(self, videos: int, batch_size: int) -> int:
        """Length in steps on a train split of `videos` videos."""
        return self.steps if self.steps is not None else math.ceil((self.epochs or 0) * videos / batch_size)
