"""Constraints of NeXtVLAD: groups divide the expanded features, the gate's reduction the hidden units."""

from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError


def check(dataset: Dataset, *, groups: int, expansion: int, hidden: int, reduction: int, **_: Any) -> None:
    """Raise UsageError where a division leaves a remainder; features after the first have half the groups."""
    if hidden % reduction:
        raise UsageError(
            f"hidden must be divisible by reduction; got hidden={hidden}, reduction={reduction}."
        )
    for number, (name, width) in enumerate(dataset.features):
        parts = groups if number == 0 else groups // 2
        if not parts or expansion * width % parts:
            raise UsageError(
                f"the {expansion * width} expanded features of {name} must be divisible by its number of "
                f"groups; got {parts} from groups={groups}."
            )
