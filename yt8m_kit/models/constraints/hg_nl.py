"""Constraints of HG-NL: groups and reduction divide the features; frames are drawn in one way."""

from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError


def check(
    dataset: Dataset, *, reduction: int, query_groups: int, value_groups: int, grouped: bool, **others: Any
) -> None:
    """Raise UsageError where a division of the features into parts leaves a remainder, or for two draws."""
    _check_frames(**others)
    if dataset.width % reduction:
        raise UsageError(
            f"features must be divisible by reduction; got {dataset.width}, reduction={reduction}."
        )
    queries = dataset.width // reduction
    divisions = {
        "features must be divisible by query_groups": (dataset.width, query_groups),
        "features must be divisible by value_groups": (dataset.width, value_groups),
        "features / reduction must be divisible by query_groups": (queries, query_groups),
        "features / reduction must be divisible by value_groups": (queries, value_groups),
    }
    for rule, (width, groups) in divisions.items() if grouped else ():
        if width % groups:
            raise UsageError(f"{rule}; got {width} and {groups}.")


def _check_frames(
    *, draws: int | None, segments: int | None, prediction_segments: int | None, **_: Any
) -> None:
    if segments and draws:
        raise UsageError(f"draws and segments exclude each other; got draws={draws}, segments={segments}.")
    if prediction_segments and not segments:
        raise UsageError(f"prediction_segments={prediction_segments} needs segments; got segments=None.")
