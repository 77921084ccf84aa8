"""Affine quantization, value = unit * (scale * code + offset), with float16 scales and offsets.

The quantized range of a column (or of a group of its inputs) is narrower than minimum to maximum: clipping a
few outliers makes the steps of all other values smaller. Several ranges around the mean are tried and the one
of least squared error is kept; then scale and offset are refitted by least squares to (code, value), if that
reduces the error.

Shapes: I inputs, O output channels, G groups of R inputs. A strip is a range of columns, split into tiles
(G, R, C) that fit into the cache.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.codecs.packing import Bytes

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

# Fractions of the distance from mean to extremes to try, by bits: clipping pays more with coarser steps.
SHARES = {8: (1.0, 0.8), 6: (1.0, 0.9, 0.8, 0.7, 0.6), 4: (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)}
NUDGES = (0.95, 1.05)  # tried next, as factors of the best fraction
TILE = 2**18  # values of a tile
COLUMNS = 2**11  # of a strip
THREADS = 2


class Choice(NamedTuple):
    """Scales and offsets, float16, their squared error and the fraction of the range covered; all (G, C)."""

    scale: Halves
    offset: Halves
    error: Floats
    share: Floats


def unit_of(array: Floats) -> np.float32:
    """Return the power of two to divide an array by, so that float16 represents its scales and offsets.

    Values are then at most 256 in magnitude, so that even the steps of a column 2**15 times narrower than the
    widest are normal float16 numbers. Raises ValueError for values that are not finite.
    """
    peak = max(float(array.max(initial=0)), -float(array.min(initial=0)))
    if not np.isfinite(peak):
        raise ValueError(f"weights must be finite to be encoded; got {peak}.")
    return np.float32(2.0 ** (np.ceil(np.log2(peak)) - 8)) if peak else np.float32(1)


def fit(array_IO: Floats, bits: int, group: int | None) -> tuple[Halves, Halves, np.float32]:
    """Fit scales and offsets, float16 (G, O), and the unit, float32, to an array (I, O).

    group: inputs of a group, None for all. Raises ValueError for values that are not finite.
    """
    inputs, outputs = array_IO.shape
    unit, rows = unit_of(array_IO), group or inputs
    scale = np.empty((-(-inputs // rows), outputs), np.float16)
    offset = np.empty_like(scale)

    def work(place: tuple[slice, slice, slice, list[Floats]]) -> None:
        _, groups, columns, tiles = place
        scale[groups, columns], offset[groups, columns] = _fit(tiles, unit, bits)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, _strips(array_IO, group)))
    return scale, offset, unit


def quantize(
    array_IO: Floats, scale: Halves, offset: Halves, unit: np.float32, bits: int, group: int | None
) -> Bytes:
    """Round an array (I, O) to the nearest codes, uint8 (I, O); arguments as returned by `fit`."""
    codes = np.empty(array_IO.shape, np.uint8)

    def work(place: tuple[slice, slice, slice, list[Floats]]) -> None:
        rows, groups, columns, tiles = place
        at = rows.start
        for tile in tiles:
            count = tile.shape[0] * tile.shape[1]
            nearest, _ = _nearest(tile, scale[groups, columns], offset[groups, columns], unit, bits)
            codes[at : at + count, columns] = nearest.reshape(count, -1)
            at += count

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, _strips(array_IO, group)))
    return codes


def _strips(array_IO: Floats, group: int | None) -> Iterator[tuple[slice, slice, slice, list[Floats]]]:
    """Yield ranges of rows, groups and columns whose scales are independent, and their tiles."""
    inputs, outputs = array_IO.shape
    for first in range(0, outputs, COLUMNS):
        columns = slice(first, min(first + COLUMNS, outputs))
        high = max(TILE // (columns.stop - columns.start), 1)
        if group is None:
            tiles = [array_IO[row : row + high, columns][None] for row in range(0, inputs, high)]
            yield slice(0, inputs), slice(0, 1), columns, tiles
            continue
        whole, step = inputs // group * group, max(high // group, 1) * group
        for row in range(0, whole, step):
            rows = slice(row, min(row + step, whole))
            tile = array_IO[rows, columns].reshape(-1, group, columns.stop - columns.start)
            yield rows, slice(row // group, rows.stop // group), columns, [tile]
        if whole < inputs:
            rest = array_IO[whole:, columns][None]
            yield slice(whole, inputs), slice(whole // group, whole // group + 1), columns, [rest]


def _fit(tiles: list[Floats], unit: np.float32, bits: int) -> tuple[Halves, Halves]:
    """Fit scale and offset, (G, C), to tiles (G, R, C) that are concatenated along R."""
    low = np.min([tile.min(axis=1) for tile in tiles], axis=0) / unit
    high = np.max([tile.max(axis=1) for tile in tiles], axis=0) / unit
    count = sum(tile.shape[1] for tile in tiles)
    mean = np.sum([tile.sum(axis=1) for tile in tiles], axis=0) / count / unit
    infinite = np.full_like(mean, np.inf)
    best = Choice(np.ones(mean.shape, np.float16), mean.astype(np.float16), infinite, infinite)

    def attempt(share: Floats) -> Choice:
        steps = _steps(mean - share * (mean - low), mean + share * (high - mean), bits)
        return _better(best, Choice(*steps, _error(tiles, *steps, unit, bits), share))

    for share in SHARES[bits]:
        best = attempt(np.full_like(mean, share))
    for nudge in NUDGES:
        best = attempt(best.share * np.float32(nudge))
    steps = _line(tiles, best.scale, best.offset, unit, bits)
    best = _better(best, Choice(*steps, _error(tiles, *steps, unit, bits), best.share))
    return best.scale, best.offset


def _steps(low: Floats, high: Floats, bits: int) -> tuple[Halves, Halves]:
    """Return scale and offset of even steps from low to high, rounded outwards to float16."""
    offset = low.astype(np.float16)
    offset = np.where(offset > low, np.nextafter(offset, np.float16(-np.inf)), offset)
    wanted = (high - offset) / np.float32(2**bits - 1)
    scale = wanted.astype(np.float16)
    scale = np.where(scale < wanted, np.nextafter(scale, np.float16(np.inf)), scale)
    return np.where(scale > 0, scale, np.float16(1)), offset


def _better(old: Choice, new: Choice) -> Choice:
    """Select the choice of smaller error, column by column."""
    kept = old.error <= new.error
    return Choice(
        np.where(kept, old.scale, new.scale),
        np.where(kept, old.offset, new.offset),
        np.where(kept, old.error, new.error),
        np.where(kept, old.share, new.share),
    )


def _error(tiles: list[Floats], scale: Halves, offset: Halves, unit: np.float32, bits: int) -> Floats:
    """Compute the squared error of rounding, (G, C)."""
    error = np.zeros(scale.shape, np.float32)
    for tile in tiles:
        codes, exact = _nearest(tile, scale, offset, unit, bits)
        np.subtract(codes, exact, out=exact)
        error += np.einsum("grc,grc->gc", exact, exact)
    return error * np.square(scale.astype(np.float32))


def _line(
    tiles: list[Floats], scale: Halves, offset: Halves, unit: np.float32, bits: int
) -> tuple[Halves, Halves]:
    """Refit scale and offset, (G, C), by least squares through (code, value)."""
    sums = np.zeros((4, *scale.shape))
    for tile in tiles:
        codes, exact = _nearest(tile, scale, offset, unit, bits)
        products = [np.einsum("grc,grc->gc", codes, other) for other in (codes, exact)]
        sums += [codes.sum(axis=1), exact.sum(axis=1), *products]
    code, value, squares, product = sums / sum(tile.shape[1] for tile in tiles)
    spread = squares - code**2
    # In units of steps: value = slope * code + start; columns with a single code keep scale and offset.
    slope = np.where(spread > 1e-6, (product - code * value) / np.maximum(spread, 1e-6), 1.0)
    start = np.where(spread > 1e-6, value - slope * code, 0.0)
    wide = scale.astype(np.float32)
    low = (offset + wide * start).astype(np.float32)
    return _steps(low, (low + wide * slope * (2**bits - 1)).astype(np.float32), bits)


def _nearest(
    tile: Floats, scale: Halves, offset: Halves, unit: np.float32, bits: int
) -> tuple[Floats, Floats]:
    """Return codes of a tile, as floats, and exact values, both in steps from the offset: (G, R, C)."""
    wide = scale.astype(np.float32)
    exact = tile * np.reciprocal(wide * unit)[:, None]
    exact -= (offset / wide)[:, None]
    codes: Floats = np.rint(exact)
    np.maximum(codes, 0, out=codes)
    np.minimum(codes, 2**bits - 1, out=codes)
    return codes, exact
