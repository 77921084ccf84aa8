"""Each codec: error within its bound, bytes as stated, decoded by graph operations."""

import numpy as np
import pytest

from yt8m_kit.codecs import LARGE, decode, encode, size

RNG = np.random.default_rng(0)
WIDE = (RNG.standard_normal((200, 100)) * 0.3).astype(np.float32)
NARROW = RNG.standard_normal(100).astype(np.float32)


def through(codec, array):
    codes = encode(codec, array)
    return np.asarray(decode(codes)), size(codes)


@pytest.mark.parametrize("codec", ["float32", "float16", "uint8"])
def test_small_tensors_stay_exact(codec):
    decoded, bytes_ = through(codec, NARROW)
    np.testing.assert_array_equal(decoded, NARROW)
    assert bytes_ == NARROW.nbytes


def test_uint8_is_off_by_at_most_half_a_step():
    assert WIDE.size > LARGE
    decoded, bytes_ = through("uint8", WIDE)
    half_step = (WIDE.max() - WIDE.min()) / 510
    assert np.abs(decoded - WIDE).max() <= half_step * (1 + 1e-5)
    assert np.abs(decoded - WIDE).max() > half_step * 0.9
    assert bytes_ == WIDE.size + 8  # the codes, a step and an offset


def test_half_precisions():
    decoded, bytes_ = through("float16", WIDE)
    np.testing.assert_allclose(decoded, WIDE, rtol=2**-11, atol=2**-25)
    assert bytes_ == 2 * WIDE.size
    for array in (WIDE, NARROW):
        decoded, bytes_ = through("bfloat16", array)
        np.testing.assert_allclose(decoded, array, rtol=2**-8)
        assert bytes_ == 2 * array.size


def test_a_constant_tensor_survives():
    array = np.full((200, 100), 0.25, np.float32)
    np.testing.assert_array_equal(through("uint8", array)[0], array)
