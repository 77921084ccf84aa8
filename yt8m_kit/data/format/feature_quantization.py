"""Quantize features to bytes: as YouTube-8M does, and by the inverse of its dequantization."""

import numpy as np

from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE


def quantize(floats: np.ndarray) -> np.ndarray:
    """Quantize as YouTube-8M's frames: uint8, same shape, clipped to [-2, 2], round((x + 2) * 255 / 4).

    Dequantization adds a bias of half a step, 1/128, to them, as it does to those of YouTube-8M.
    """
    return np.clip(np.rint((floats + 2) * (255 / 4)), 0, 255).astype(np.uint8)


def requantize(floats: np.ndarray) -> np.ndarray:
    """Quantize each float to the byte with the nearest dequantized value: uint8, same shape."""
    codes = np.rint((floats.astype(np.float64) - DEQUANTIZE_OFFSET) / DEQUANTIZE_SCALE)
    return np.clip(codes, 0, 255).astype(np.uint8)
