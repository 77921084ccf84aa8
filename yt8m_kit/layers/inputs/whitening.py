"""Reverse whitening: visual features rescaled to their variance before PCA whitening (NeXtVLAD's input).

Shapes: B batch, T frames, D features.
Source: Lin, Xiao, Fan, "NeXtVLAD" (2018), section 4.1 and its code.
"""

from pathlib import Path

import numpy as np
from keras import ops

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames
from yt8m_kit.layers.layer import Layer

WHITENED = "rgb"  # the whitened feature; audio is not whitened
HALF_STEP = 4 / 512  # added by the official dequantization, subtracted again

# log multiplier as a polynomial in log(j) / log(1024), j = 1..1024, highest power first.
COEFFICIENTS = (274.126, -1033.191, 1580.912, -1269.015, 572.73, -143.977, 18.601, -3.617, 1.345)


def multipliers(width: int = 1024) -> np.ndarray:
    """Compute the factors sqrt(eigenvalue) + 1e-4 in closed form: (width,) float32.

    A polynomial fitted to the published 1024 eigenvalues of the visual features: relative error 0.43 % rms,
    5.3 % at most (dimension 2). The official values can be given to ReverseWhitening instead.
    """
    position = np.log(np.arange(1, width + 1)) / np.log(1024)
    return np.exp(np.polyval(COEFFICIENTS, position)).astype(np.float32)


def load_multipliers(source: str | Path | np.ndarray | None, width: int) -> np.ndarray:
    """Return the multipliers of the first `width` dimensions: (width,) float32.

    source: None for the closed form, an array of multipliers, or the path of eigenvals.npy of the official
    yt8m_pca archive, (2048, 1) float32, in descending order.
    Raises UsageError if the file cannot be read or has fewer than `width` numbers.
    """
    if source is None:
        return multipliers(width)
    if isinstance(source, str | Path):
        try:
            found = np.sqrt(np.load(source).reshape(-1)) + 1e-4
        except (OSError, ValueError) as error:
            raise UsageError(f"eigenvalues must be a readable .npy file; got {source} ({error}).") from error
    else:
        found = np.asarray(source).reshape(-1)
    if len(found) < width:
        raise UsageError(f"reverse whitening needs {width} multipliers; got {len(found)}.")
    return np.asarray(found[:width], np.float32)


class ReverseWhitening(Layer):
    """Reverse whitening, (x - 4/512) * multiplier for the feature "rgb": Frames -> Frames; no weights.

    Padding becomes -4/512 * multiplier, as zeros do in NeXtVLAD's code. Requires frames that are not
    L2-normalized. eigenvalues: see load_multipliers. Raises UsageError as that does.
    """

    def __init__(
        self,
        dataset: Dataset,
        eigenvalues: str | Path | np.ndarray | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        whitened = [name == WHITENED for name, _ in dataset.features]
        widths = [width for _, width in dataset.features]
        self.factors = np.concatenate(
            [load_multipliers(eigenvalues, w) if yes else np.ones(w) for yes, w in zip(whitened, widths)]
        ).astype(np.float32)
        self.steps = np.repeat(np.where(whitened, HALF_STEP, 0.0), widths).astype(np.float32)

    def call(self, frames: Frames) -> Frames:
        factors = ops.convert_to_tensor(self.factors)
        return frames._replace(
            scale=frames.scale * factors,
            shift=(frames.shift - self.steps) * factors,
        )
