"""Codes as ONNX has them: one a byte."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from yt8m_kit.codecs.formats import FORMATS, Encoded, matrix
from yt8m_kit.codecs.packing import unpack


def as_bytes(encoded: Encoded) -> Encoded:
    """Return an equal tensor whose codes are bytes: packed codes unpacked, bfloat16 numbers as float32."""
    bits, is_affine, group = FORMATS[encoded.format]
    codes = encoded.arrays["codes"]
    if encoded.format == "bfloat16":
        return Encoded("float32", encoded.shape, {"codes": codes.astype(np.float32)})
    if not is_affine or bits == 8:
        return encoded
    inputs, outputs = matrix(encoded.shape)
    unpacked = np.asarray(unpack(codes, bits, inputs * outputs))
    [format] = (name for name, each in FORMATS.items() if each == (8, True, group))
    return Encoded(format, encoded.shape, encoded.arrays | {"codes": unpacked})


def with_arrays(encoded: Encoded, arrays: Iterator[Any]) -> Encoded:
    """Return a tensor of the same form whose arrays are the next ones."""
    return dataclasses.replace(encoded, arrays={key: next(arrays) for key in encoded.arrays})
