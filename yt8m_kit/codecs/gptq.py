"""Affine codes chosen so that a layer's outputs change least, not its weights.

Rounding one input's weights up or down can make good for the error of another input that usually comes with
it. The weights of an output are rounded one input after the other, and what is left to round takes up the
error as the inputs' second moments say (Frantar et al., "GPTQ", 2022, without its reordering). Scales and
offsets are those of the nearest codes.

Shapes: I inputs, O output channels, N blocks of R inputs.
"""

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.codecs import affine
from yt8m_kit.codecs.affine import Floats
from yt8m_kit.codecs.encoding import packed
from yt8m_kit.codecs.formats import FORMATS, Encoded, matrix
from yt8m_kit.codecs.packing import Bytes

DAMPING = 0.1  # of the mean second moment, added to the diagonal: videos are few
STRIP = 4096  # output channels
LAZY = 32  # inputs after which the rest of a block is brought up to date


def factors(moments_NRR: Floats, inputs: int) -> list[Floats]:
    """What encode_calibrated rounds by, for every format of a kernel with so many inputs.

    moments: second moments of the inputs, sums or means of x x^T, block by block, (N, R, R) with N * R >= I;
    what lies between blocks is taken as 0.
    """
    size = moments_NRR.shape[1]
    ends = [min(size, inputs - start) for start in range(0, inputs, size)]
    return [_factor(moments[:end, :end]) for end, moments in zip(ends, moments_NRR)]


def encode_calibrated(format: str, array: Floats, by: list[Floats]) -> Encoded:
    """An affine format of a kernel whose inputs' moments have these factors.

    The error sum over blocks of tr(D^T M D), D the change of the weights, is what is kept small.
    """
    bits, _, group = FORMATS[format]
    array_IO = np.array(array, np.float32).reshape(matrix(array.shape))
    scale, offset, unit = affine.fit(array_IO, bits, group)
    rows = np.arange(len(array_IO)) // (group or len(array_IO))
    steps, lows = (half.astype(np.float32) * unit for half in (scale, offset))
    codes = np.empty(array_IO.shape, np.uint8)
    stop = 0
    for factor in by:
        block = slice(stop, stop + len(factor))
        stop = block.stop
        # In strips that stay in the cache; the threads are those of the matrix products.
        for first in range(0, array_IO.shape[1], STRIP):
            columns = slice(first, first + STRIP)
            rest = np.ascontiguousarray(array_IO[block, columns])
            scales = steps[:, columns], lows[:, columns]
            codes[block, columns] = _round(rest, factor, *scales, rows[block], bits)
    return packed(format, array.shape, codes, scale, offset, unit)


def _factor(moments_RR: Floats) -> Floats:
    """Upper triangular U, U^T U the inverse of the damped moments; row i says how later inputs answer i."""
    moments = moments_RR.astype(np.float64)
    mean = float(np.trace(moments)) / len(moments)
    moments[np.diag_indices(len(moments))] += DAMPING * mean if mean > 0 else 1.0
    # Turned around, the lower Cholesky factor is an upper one of the moments themselves.
    upper = np.linalg.cholesky(moments[::-1, ::-1])[::-1, ::-1]
    return np.linalg.inv(upper).astype(np.float32)


def _round(
    rest_RO: Floats, factor_RR: Floats, steps: Floats, lows: Floats, groups_R: NDArray[np.int64], bits: int
) -> Bytes:
    """Codes (R, O) of a block; `rest` is used up. steps, lows: float32 (G, O); groups: of each input."""
    codes = np.empty(rest_RO.shape, np.uint8)
    for first in range(0, len(rest_RO), LAZY):
        last = min(first + LAZY, len(rest_RO))
        errors = np.empty((last - first, rest_RO.shape[1]), np.float32)
        for row in range(first, last):
            step, low = steps[groups_R[row]], lows[groups_R[row]]
            code = np.clip(np.rint((rest_RO[row] - low) / step), 0, 2**bits - 1)
            codes[row] = code
            error = (rest_RO[row] - (code * step + low)) / factor_RR[row, row]
            rest_RO[row + 1 : last] -= factor_RR[row, row + 1 : last, None] * error
            errors[row - first] = error
        rest_RO[last:] -= factor_RR[first:last, last:].T @ errors
    return codes
