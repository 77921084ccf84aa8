"""Bit allocation: the format of each tensor that minimizes the sum of errors within a byte budget."""

from collections.abc import Sequence
from typing import NamedTuple

from yt8m_kit.errors import UsageError


class Option(NamedTuple):
    """A format for a tensor, its bytes, and the output error that it causes."""

    format: str
    size: int
    error: float


def allocate(tensors: Sequence[Sequence[Option]], budget: int) -> list[Option]:
    """Choose one option of each tensor, in order.

    Greedy: every tensor starts with its smallest option; upgrades along the lower convex hulls of the
    tensors' options are made in descending order of error removed per byte. That is optimal for the
    continuous relaxation, so that no choice is better by more than the error of one upgrade that did not fit.
    The remaining bytes go to single changes that still fit. Raises UsageError if the smallest options exceed
    the budget.
    """
    chosen = [min(options, key=lambda option: (option.size, option.error)) for options in tensors]
    left = budget - sum(option.size for option in chosen)
    if left < 0:
        raise UsageError(
            f"the smallest formats take {budget - left:,} bytes, the limit is {budget:,}: "
            "blend fewer members."
        )
    upgrades = [(worth, place, to) for place, options in enumerate(tensors) for worth, to in _hull(options)]
    for _, place, to in sorted(upgrades, key=lambda upgrade: -upgrade[0]):
        added = to.size - chosen[place].size
        if to.error < chosen[place].error and added <= left:
            chosen[place], left = to, left - added
    return _filled(tensors, chosen, left)


def _hull(options: Sequence[Option]) -> list[tuple[float, Option]]:
    """Upgrades from the smallest option along the lower convex hull, with the error they remove per byte."""
    at = min(options, key=lambda option: (option.size, option.error))
    steps = []
    while better := [option for option in options if option.error < at.error and option.size > at.size]:
        worth = [(at.error - option.error) / (option.size - at.size) for option in better]
        at = better[worth.index(max(worth))]
        steps.append((max(worth), at))
    return steps


def _filled(tensors: Sequence[Sequence[Option]], chosen: list[Option], left: int) -> list[Option]:
    """Spend the remaining bytes on single changes that fit, largest gain first."""
    while True:
        gains = [
            (now.error - option.error, place, option)
            for place, (now, options) in enumerate(zip(chosen, tensors))
            for option in options
            if option.size - now.size <= left and option.error < now.error
        ]
        if not gains:
            return chosen
        _, place, option = max(gains, key=lambda gain: gain[0])
        left -= option.size - chosen[place].size
        chosen[place] = option
