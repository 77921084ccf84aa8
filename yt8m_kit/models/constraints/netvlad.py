"""Constraints of NetVLAD: a reduction leaves features to pool."""

from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError


def check(dataset: Dataset, *, reduction: int | None, fusion: str, **_: Any) -> None:
    """Raise UsageError for a reduction of more than the width of the narrowest vector that is pooled."""
    width = dataset.width if fusion == "early" else min(width for _, width in dataset.features)
    if reduction is not None and reduction > width:
        raise UsageError(f"reduction must be at most the width of a feature, {width}; got {reduction}.")
