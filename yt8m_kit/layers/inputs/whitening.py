"""Reverse whitening: the visual features in the scale they had before PCA whitening (NeXtVLAD's input).

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

WHITENED = "rgb"  # the feature that was whitened; audio was not
HALF_STEP = 4 / 512  # taken back, as the official dequantization adds it

# log multiplier as a polynomial in log(j) / log(1024), j = 1..1024, highest power first.
COEFFICIENTS = (274.126, -1033.191, 1580.912, -1269.015, 572.73, -143.977, 18.601, -3.617, 1.345)


def multipliers(width: int = 1024) -> np.ndarray:
    """The factors sqrt(eigenvalue) + 1e-4 of the whitened dimensions, (width,) float32, in closed form.

    Fitted to the published 1024 eigenvalues of the visual features: relative error 0.43 % rms, 5.3 % at
    most (in dimension 2). The official archive's own values can be given to ReverseWhitening instead.
    """
    position = np.log(np.arange(1, width + 1)) / np.log(1024)
    return np.exp(np.polyval(COEFFICIENTS, position)).astype(np.float32)


def load_multipliers(source: str | Path | np.ndarray | None, width: int) -> np.ndarray:
    """The multipliers to use: None for the closed form, an array of them, or a .npy file of PCA eigenvalues.

    The file is eigenvals.npy of the official yt8m_pca archive, (2048, 1) float32, largest first.
    Raises UsageError where the file cannot be read or there are fewer numbers than the feature is wide.
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
    """Frames -> Frames: (x - 4/512) * multiplier for the feature "rgb", others unchanged; no weights.

    Padding gets -4/512 * multiplier, as zeros in the source do. Wants frames without an L2 norm.
    eigenvalues: see load_multipliers.
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
