"""Calibrated rounding (GPTQ): affine codes that minimize the error of a layer's outputs, not of its weights.

The rounding of one input's weights can compensate the error of a correlated input. Weights of an output are
rounded input by input, and the remaining ones are updated to compensate the error, according to the second
moments of the inputs. Scales and offsets are those of nearest rounding.

Shapes: I inputs, O output channels, N blocks of R inputs.
Source: Frantar et al., "GPTQ" (2022), without its reordering of inputs.
"""

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.codecs import affine
from yt8m_kit.codecs.affine import Floats
from yt8m_kit.codecs.encoding import packed
from yt8m_kit.codecs.formats import FORMATS, Encoded, matrix
from yt8m_kit.codecs.packing import Bytes

DAMPING = 0.1  # of the mean second moment, added to the diagonal, as calibration videos are few
STRIP = 4096  # output channels rounded at a time
LAZY = 32  # inputs after which the rest of a block is updated


def factors(moments_NRR: Floats, inputs: int) -> list[Floats]:
    """Factorize second moments for encode_calibrated: N upper triangular matrices, float32 (R, R).

    moments: sums or means of x x^T of the inputs by block, (N, R, R) with N * R >= I; those between blocks
    are taken as 0. inputs: I. The factors serve every format of a kernel.
    """
    size = moments_NRR.shape[1]
    ends = [min(size, inputs - start) for start in range(0, inputs, size)]
    return [_factor(moments[:end, :end]) for end, moments in zip(ends, moments_NRR)]


def encode_calibrated(format: str, array: Floats, by: list[Floats]) -> Encoded:
    """Encode a kernel in an affine format, rounding so that the error of its outputs is small.

    array: float32 of any shape with two or more axes. by: factors of its inputs' moments M, from `factors`.
    The error is the sum over blocks of tr(D^T M D), where D is the change of the weights.
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
        # In strips that fit into the cache; matrix products use all threads.
        for first in range(0, array_IO.shape[1], STRIP):
            columns = slice(first, first + STRIP)
            rest = np.ascontiguousarray(array_IO[block, columns])
            scales = steps[:, columns], lows[:, columns]
            codes[block, columns] = _round(rest, factor, *scales, rows[block], bits)
    return packed(format, array.shape, codes, scale, offset, unit)


def _factor(moments_RR: Floats) -> Floats:
    """Return U upper triangular, U^T U = inverse damped moments; row i: how later inputs compensate i."""
    moments = moments_RR.astype(np.float64)
    mean = float(np.trace(moments)) / len(moments)
    moments[np.diag_indices(len(moments))] += DAMPING * mean if mean > 0 else 1.0
    # The lower Cholesky factor of the reversed moments, reversed, is an upper factor of the moments.
    upper = np.linalg.cholesky(moments[::-1, ::-1])[::-1, ::-1]
    return np.linalg.inv(upper).astype(np.float32)


def _round(
    rest_RO: Floats, factor_RR: Floats, steps: Floats, lows: Floats, groups_R: NDArray[np.int64], bits: int
) -> Bytes:
    """Round a block to codes (R, O), overwriting `rest`. steps, lows: float32 (G, O); groups: by input."""
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
