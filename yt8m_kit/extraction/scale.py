"""The scale of features in bytes, fitted to the first frames, and what they were extracted with.

A feature x of dimension d becomes quantize((x - centre_d) / half_range_d). centre and half_range are those of
the first frames, with a margin of an eighth of the range on both sides; what lies beyond is clipped.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yt8m_kit.data.format.feature_quantization import quantize
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.provenance import changes
from yt8m_kit.output.sealed import read_sealed, write_sealed

FILE = "scale.json"  # in the folder of the data set
FRAMES = 1000  # that a scale is fitted to, at least, if there are so many
_LIMIT = 2.0  # of what quantize keeps
_MARGIN = 0.25  # of the range, on both sides together


class Scale(NamedTuple):
    """Centre and half range of each dimension of a feature, float64 (D,): x -> (x - centre) / half_range."""

    centre: np.ndarray
    half_range: np.ndarray

    def to_bytes(self, frames: np.ndarray) -> np.ndarray:
        """Quantize float (T, D) to uint8 (T, D)."""
        return quantize((frames - self.centre) / self.half_range)


def fit(frames: np.ndarray) -> Scale:
    """Fit to float frames (T, D): they all lie within [-2, 2] after it; a constant dimension becomes 0."""
    lowest, highest = frames.min(axis=0).astype(np.float64), frames.max(axis=0).astype(np.float64)
    half_range = (highest - lowest) * (1 + _MARGIN) / (2 * _LIMIT)
    return Scale((highest + lowest) / 2, np.where(half_range > 0, half_range, 1.0))


def published(width: int) -> Scale:
    """The scale of features that are made as YouTube-8M's: none."""
    return Scale(np.zeros(width), np.ones(width))


def write(
    out: Path, settings: dict[str, Any], scales: dict[str, Scale], files: dict[str, Any], frames: int
) -> None:
    """Write OUT/scale.json. settings: of the extraction. files: stamps of the videos it was fitted to."""
    kept = {name: [each.centre.tolist(), each.half_range.tolist()] for name, each in scales.items()}
    write_sealed(
        out / FILE, {"settings": settings, "files": files, "frames": frames, "centre, half_range": kept}
    )


def read(out: Path, settings: dict[str, Any]) -> dict[str, Scale] | None:
    """Read the scales by feature; None if there is no file.

    Raises UsageError if it belongs to an extraction with other settings, KitError if it is damaged.
    """
    if not (out / FILE).exists():
        return None
    kept = _kept(out)
    try:
        if differing := changes({"settings": kept["settings"]}, {"settings": settings}):
            raise UsageError(
                f"{out} holds another extraction: {differing[0]}. Take the same settings, or another folder."
            )
        pairs = kept["centre, half_range"].items()
        return {name: Scale(*(np.array(each) for each in pair)) for name, pair in pairs}
    except (AttributeError, KeyError, TypeError) as error:
        raise KitError(f"{out / FILE} is damaged: {error}. Delete {out} and extract again.") from None


def _kept(out: Path) -> Any:
    try:
        return read_sealed(out / FILE)
    except KitError:
        raise KitError(f"{out / FILE} is damaged. Restore it, or delete {out} and extract again.") from None


def check_videos(out: Path, stamps: dict[str, Any]) -> None:
    """Raise UsageError if a video that OUT/scale.json was fitted to is not among these, or has changed."""
    if not (out / FILE).exists():
        return
    for name, stamp in _kept(out)["files"].items():
        if stamps.get(name) != stamp:
            what = "has changed" if name in stamps else "is not among the videos"
            raise UsageError(
                f"{out / FILE} was fitted to {name}, which {what}: delete {out}, or take another folder."
            )
