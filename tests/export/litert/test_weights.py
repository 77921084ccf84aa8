"""Codes of weights: error bounds, clipping, columns of zeros."""

import numpy as np
import pytest

from yt8m_kit.export.litert.weights import quantized


@pytest.mark.parametrize("rows", [1, 5, 3000])
def test_eight_bits_are_off_by_half_a_step(rows):
    array = np.random.default_rng(0).normal(size=(rows, 700)).astype(np.float32)
    codes, scale = quantized(array, 8)
    np.testing.assert_allclose(scale, np.abs(array).max(axis=1) / 127, rtol=1e-6)
    assert (np.abs(codes * scale[:, None] - array) <= 0.5001 * scale[:, None]).all()


def test_four_bits_clip_outliers_if_that_is_better():
    array = np.random.default_rng(0).normal(size=(4, 2000)).astype(np.float32)
    codes, scale = quantized(array, 4)
    assert np.abs(codes).max() <= 7
    unclipped = np.abs(array).max(axis=1, keepdims=True) / 7
    plain = np.square(np.rint(array / unclipped) * unclipped - array).sum()
    assert np.square(codes * scale[:, None] - array).sum() < 0.9 * plain


def test_a_channel_of_zeros_stays_zero():
    codes, scale = quantized(np.zeros((2, 8), np.float32), 8)
    assert not codes.any()
    assert (scale > 0).all()
