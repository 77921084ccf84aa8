"""Floats as bytes, in the two ways that YouTube-8M has."""

import numpy as np

from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE


def quantize(floats: np.ndarray) -> np.ndarray:
    """uint8 of the same shape, as YouTube-8M's frames: clipped to [-2, 2], round((x + 2) * 255 / 4).

    Dequantization adds half a step to them, 1/128; so it does to those of YouTube-8M.
    """
    return np.clip(np.rint((floats + 2) * (255 / 4)), 0, 255).astype(np.uint8)


def requantize(floats: np.ndarray) -> np.ndarray:
    """uint8 of the same shape: for each float the byte whose dequantization lies nearest."""
    codes = np.rint((floats.astype(np.float64) - DEQUANTIZE_OFFSET) / DEQUANTIZE_SCALE)
    return np.clip(codes, 0, 255).astype(np.uint8)
