"""Log-mel patches as VGGish was published with.

Hershey et al., "CNN Architectures for Large-Scale Audio Classification" (2017), section 3.1, and the release
of AudioSet: 16 kHz, Hann windows of 25 ms every 10 ms, magnitudes of 512 points, 64 mel bands from 125 to
7500 Hz, log(mel + 0.01), patches of 96 windows.
"""

from collections.abc import Sequence

import numpy as np

RATE, WINDOW, HOP, POINTS = 16_000, 400, 160, 512  # samples
BANDS, LOWEST, HIGHEST, OFFSET = 64, 125.0, 7500.0, 0.01
STEPS = 96  # windows of a patch, 0.96 s
SAMPLES = (STEPS - 1) * HOP + WINDOW  # that a patch sees


def patches(samples: np.ndarray, starts: Sequence[float]) -> np.ndarray:
    """Compute the patch that begins at each time: float32 (len(starts), 96, 64).

    samples: float (n,) in [-1, 1] at 16 kHz; what lies outside of them is silence. starts: seconds.
    """
    rows = [log_mel(_part(samples, round(start * RATE))) for start in starts]
    return np.stack(rows).astype(np.float32)


def _part(samples: np.ndarray, begin: int) -> np.ndarray:
    part = samples[begin : begin + SAMPLES]
    return np.pad(part, (0, SAMPLES - len(part)))


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Compute log mel magnitudes: float64 (windows, 64) of float (n,) samples at 16 kHz."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    magnitude = np.abs(np.fft.rfft(frames * hann, POINTS))
    logs: np.ndarray = np.log(magnitude @ mel_weights() + OFFSET)
    return logs


def mel(hertz: np.ndarray) -> np.ndarray:
    """Convert frequencies to HTK's mel scale, 1127 ln(1 + f / 700)."""
    scale: np.ndarray = 1127.0 * np.log1p(hertz / 700.0)
    return scale


def mel_weights() -> np.ndarray:
    """Triangles in mel, evenly spaced between the limits: float64 (257, 64); 0 Hz has no weight."""
    bins = mel(np.linspace(0, RATE / 2, POINTS // 2 + 1))[:, np.newaxis]
    lowest, highest = (float(each) for each in mel(np.array([LOWEST, HIGHEST])))
    edges = np.linspace(lowest, highest, BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    weights: np.ndarray = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights
