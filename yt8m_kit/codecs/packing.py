"""Bit packing of 6- and 4-bit codes, unpacked by shifts and masks.

Codes are split into runs of equal length, as many as share a byte (two of 4 bits) or three bytes (four of 6
bits), so that packing and unpacking operate on contiguous runs without interleaving.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.codecs.formats import packed_bytes

Bytes = NDArray[np.uint8]


def pack(codes: Bytes, bits: int) -> Bytes:
    """Pack flat codes, uint8 (N,) below 2**bits: uint8 (N,) for 8 bits, (N / 2,) for 4, (3, N / 4) for 6.

    Fractions are rounded up.
    """
    if bits == 8:
        return codes
    runs = {4: 2, 6: 4}[bits]
    padded = np.zeros((runs, -(-codes.size // runs)), np.uint8)
    padded.ravel()[: codes.size] = codes
    if bits == 4:
        low, high = padded
        low |= high << 4
        return np.asarray(low, np.uint8)
    # The upper two bits of each of the first three runs hold the fourth.
    first, second, third, fourth = padded
    return np.stack([first | (fourth & 3) << 6, second | (fourth >> 2 & 3) << 6, third | (fourth >> 4) << 6])


def unpack(packed: Any, bits: int, size: int) -> Any:
    """Unpack codes by graph operations: flat codes, uint8 (size,)."""
    from keras import ops

    if bits == 8:
        return packed
    if bits == 4:
        runs = [ops.bitwise_and(packed, np.uint8(15)), ops.right_shift(packed, np.uint8(4))]
    else:
        tops = [ops.right_shift(packed[run], np.uint8(6)) for run in range(3)]
        fourth = tops[0]
        for run in (1, 2):
            fourth = ops.bitwise_or(fourth, ops.left_shift(tops[run], np.uint8(2 * run)))
        runs = [*(ops.bitwise_and(packed[run], np.uint8(63)) for run in range(3)), fourth]
    codes = ops.concatenate(runs)
    return codes if packed_bytes(bits, size) * 8 == size * bits else codes[:size]
