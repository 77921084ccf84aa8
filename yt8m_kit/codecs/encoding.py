"""Encoding of a tensor in a format, and decoding in a graph."""

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from yt8m_kit.codecs import affine, packing
from yt8m_kit.codecs.formats import FORMATS, Encoded, matrix


def encode(format: str, array: NDArray[np.float32]) -> Encoded:
    """Encode a float32 array of any shape in a format; `decode` is the inverse, up to rounding.

    uint8: 256 even steps from minimum to maximum, so that no error exceeds (max - min) / 510 (first place,
    Skalic and Austin, 2018). Affine formats: yt8m_kit.codecs.affine; raises ValueError for values that are
    not finite.
    """
    array = np.asarray(array, np.float32)
    bits, is_affine, group = FORMATS[format]
    if is_affine:
        array_IO = np.ascontiguousarray(array).reshape(matrix(array.shape))
        scale, offset, unit = affine.fit(array_IO, bits, group)
        codes = affine.quantize(array_IO, scale, offset, unit, bits, group)
        return packed(format, array.shape, codes, scale, offset, unit)
    if format == "uint8":
        return Encoded(format, array.shape, _uint8(array))
    return Encoded(format, array.shape, {"codes": array.astype(_DTYPES[format])})


_DTYPES: dict[str, Any] = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def packed(
    format: str,
    shape: tuple[int, ...],
    codes: NDArray[np.uint8],
    scale: NDArray[np.float16],
    offset: NDArray[np.float16],
    unit: np.float32,
) -> Encoded:
    """Pack affine codes, uint8 (I, O), with scales and offsets, float16 (G, O), and unit, float32 ()."""
    small = {"scale": scale, "offset": offset, "unit": np.asarray(unit)}
    return Encoded(format, shape, {"codes": packing.pack(codes.ravel(), FORMATS[format].bits)} | small)


def _uint8(array: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    low, high = float(array.min()), float(array.max())
    step = np.float32((high - low) / 255 or 1.0)
    codes = np.clip(np.rint((array - np.float32(low)) / step), 0, 255).astype(np.uint8)
    return {"codes": codes, "step": np.asarray(step), "offset": np.asarray(low, np.float32)}


def decode(encoded: Encoded) -> Any:
    """Decode by graph operations: the float32 tensor, of the shape that was encoded."""
    from keras import ops

    arrays = encoded.arrays
    if FORMATS[encoded.format].affine:
        return _from_affine(encoded)
    values = ops.cast(arrays["codes"], "float32")
    return values * arrays["step"] + arrays["offset"] if "step" in arrays else values


def _from_affine(encoded: Encoded) -> Any:
    from keras import ops

    bits, _, group = FORMATS[encoded.format]
    inputs, outputs = matrix(encoded.shape)
    codes = packing.unpack(encoded.arrays["codes"], bits, inputs * outputs)
    values = ops.cast(ops.reshape(codes, (inputs, outputs)), "float32")
    unit = encoded.arrays["unit"]
    scale, offset = (ops.cast(encoded.arrays[key], "float32") * unit for key in ("scale", "offset"))
    if group is not None:
        rest = -inputs % group
        values = ops.pad(values, [[0, rest], [0, 0]]) if rest else values
        values = ops.reshape(values, (-1, group, outputs))
        scale, offset = scale[:, None, :], offset[:, None, :]
    values = values * scale + offset
    if group is not None:
        values = ops.reshape(values, (-1, outputs))
        values = values[:inputs] if rest else values
    return ops.reshape(values, encoded.shape)
