"""Constraints of the transformer: heads divide its width, rotations take features in pairs."""

from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError


def check(dataset: Dataset, *, width: int, heads: int, positions: str, **_: Any) -> None:
    """Raise UsageError where heads do not divide the width, and for rotations of an odd width of a head."""
    if width % heads:
        raise UsageError(f"width must be divisible by heads; got width={width}, heads={heads}.")
    if positions == "rotary" and width // heads % 2:
        raise UsageError(
            f"width / heads must be even for rotary positions; got width={width}, heads={heads}."
        )
