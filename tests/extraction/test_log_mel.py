"""The log-mel front end against its published definition, written out with SciPy."""

import math

import numpy as np
import scipy.fft
import scipy.signal

from yt8m_kit.extraction.log_mel import log_mel, patches


def hertz_to_mel(hertz):
    return 1127.0 * math.log(1.0 + hertz / 700.0)


def expected(samples):
    """One window and one band at a time."""
    low, high = hertz_to_mel(125.0), hertz_to_mel(7500.0)
    edges = [low + (high - low) * i / 65 for i in range(66)]
    rows = []
    for first in range(0, len(samples) - 399, 160):
        window = samples[first : first + 400] * scipy.signal.get_window("hann", 400)
        magnitude = abs(scipy.fft.rfft(window, 512))
        row = []
        for band in range(64):
            total = 0.0
            for index in range(1, 257):
                at = hertz_to_mel(index * 16_000 / 512)
                rising = (at - edges[band]) / (edges[band + 1] - edges[band])
                falling = (edges[band + 2] - at) / (edges[band + 2] - edges[band + 1])
                total += magnitude[index] * max(0.0, min(rising, falling))
            row.append(math.log(total + 0.01))
        rows.append(row)
    return np.array(rows)


def test_log_mel_is_as_published():
    samples = np.random.default_rng(0).uniform(-1, 1, 1200)
    np.testing.assert_allclose(log_mel(samples), expected(samples), rtol=1e-9)


def test_patches_begin_at_their_times_and_see_silence_beyond_the_end():
    samples = np.random.default_rng(1).uniform(-1, 1, 24_000)
    first, second = patches(samples, [0.0, 1.0])
    assert first.shape == (96, 64)
    np.testing.assert_allclose(first[:5], expected(samples[:1040]), rtol=1e-5)
    np.testing.assert_allclose(second[0], expected(samples[16_000:16_400])[0], rtol=1e-5)
    np.testing.assert_allclose(second[-1], math.log(0.01), rtol=1e-6)
