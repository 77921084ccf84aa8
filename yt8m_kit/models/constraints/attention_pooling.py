"""Constraints of attention pooling: what decision level excludes."""

from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError


def check(dataset: Dataset, *, level: str, mixtures: int | None, **_: Any) -> None:
    """Raise UsageError for experts or single labels at decision level."""
    if level == "decision" and dataset.single_label:
        raise UsageError(
            f"level must be feature for a single-label data set such as {dataset.name}; got decision."
        )
    if level == "decision" and mixtures is not None:
        raise UsageError(f"mixtures must be None at decision level; got mixtures={mixtures}.")
