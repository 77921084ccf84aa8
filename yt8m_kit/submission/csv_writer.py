"""Formatting of label-confidence pairs as lines of a submission CSV."""

# N videos, k label-confidence pairs of a video

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def text(ids: list[str], labels_Nk: NDArray[np.int32], confidences_Nk: NDArray[np.float32]) -> str:
    """Format lines `id,label confidence label confidence ...`, labels (below 10^7) as %i, confidences %g.

    Digits come from lookup tables, many times as fast as Python's formatting.
    """
    pairs_Nk = np.zeros(labels_Nk.shape, _PAIR)
    pairs_Nk["label"] = _label_words(len(str(labels_Nk.max(initial=0))))[labels_Nk]
    pairs_Nk["end"] = _word(" ")
    pairs_Nk["end"][:, -1] = _word("\n")
    _write_confidences(pairs_Nk.ravel(), np.ascontiguousarray(confidences_Nk, np.float32).ravel())
    videos = np.array([f"{video},".encode() for video in ids], np.bytes_)
    parts = [part.view(np.uint8).reshape(len(ids), -1) for part in (videos, pairs_Nk)]
    return np.concatenate(parts, axis=1).tobytes().translate(None, b"\0").decode()


def _write_confidences(pairs: NDArray[Any], confidences: NDArray[np.float32]) -> None:
    """Fill in the digits of each confidence, six significant ones and a power of ten."""
    odd = ~((confidences >= _LEAST) & (confidences < 0.999999))  # left to Python: 0, 1, outside [0, 1]
    values = np.where(odd, np.float32(0.5), confidences)
    binades = values.view(np.uint32) >> 23
    zeros = _ZEROS[binades]
    exact = values.astype(np.float64)
    zeros += exact < _BELOW[binades]
    exact *= _POWERS[zeros]
    digits = np.rint(exact).astype(np.uint32)
    # Up to 10^12 the product is exact, and rint rounds a tie as %g does; beyond, a value may look like a tie.
    tiny = np.flatnonzero(zeros > 6)
    odd[tiny] |= np.abs(np.abs(exact[tiny] - digits[tiny]) - 0.5) < 1e-6
    carried = digits == 10**6
    zeros -= carried
    digits[carried] = 10**5
    high, low = np.divmod(digits, np.uint32(1000))
    pairs["lead"] = _LEADS[np.minimum(zeros, 3)]
    pairs["high"] = _HIGH[high + np.uint32(1000) * (low == 0)]
    pairs["low"] = _LOW[low]
    small = np.flatnonzero(zeros > 3)  # 1.23456e-05
    first, second = np.divmod(high[small], np.uint32(100))
    last = low[small] == 0
    pairs["lead"][small] = _FIRST[first + np.uint32(10) * ~(last & (second == 0))]
    pairs["high"][small] = _SECOND[second + np.uint32(100) * last]
    pairs["end"][small] = _EXPONENTS[zeros[small]] | pairs["end"][small] << np.uint64(32)
    for place in np.flatnonzero(odd):
        pairs["end"][place] >>= np.uint64(32 * int(zeros[place] > 3))
        pairs.view(_OTHER)["confidence"][place] = f"{confidences[place]:g}".encode()


def _words(texts: Iterable[str], kind: type = np.uint64) -> NDArray[Any]:
    """Each text as an integer of that type with the same bytes, padded with NUL."""
    return np.array([text.encode() for text in texts], f"S{np.dtype(kind).itemsize}").view(kind)


def _word(text: str) -> Any:
    return _words([text])[0]


@cache
def _label_words(digits: int) -> NDArray[np.uint64]:
    return _words(f"{label} " for label in range(10**digits))


def _decade(value: float) -> int:
    """Number of zeros after the decimal point of a value."""
    return next((zeros for zeros in range(_DECADES) if value >= 10.0 ** -(zeros + 1)), _DECADES)


# A pair in fields; unused bytes are NUL and dropped at the end: "3861 ", "0.00", "123", "456", " ",
# or "3861 ", "1.", "23", "456", "e-05 ". _OTHER: the same bytes, for confidences that Python formats.
_PAIR = np.dtype([("label", "u8"), ("lead", "u8"), ("high", "u4"), ("low", "u4"), ("end", "u8")])
_OTHER = np.dtype([("label", "u8"), ("confidence", "S16"), ("end", "u8")])
_THREE = [f"{number:03d}" for number in range(1000)]
_TWO = [f"{number:02d}" for number in range(100)]
# %g drops trailing zeros: the tables' second halves, for digits followed by zeros only.
_LOW = _words((number.rstrip("0") for number in _THREE), np.uint32)
_HIGH = np.concatenate([_words(_THREE, np.uint32), _LOW])
_SECOND = _words([*_TWO, *(number.rstrip("0") for number in _TWO)], np.uint32)
_FIRST = _words(f"{digit}{point}" for point in ("", ".") for digit in range(10))
_LEADS = _words("0." + "0" * zeros for zeros in range(4))
_LEAST = np.float32(2.0**-126)  # the smallest normal float32
_DECADES = 37  # zeros after its decimal point
_EXPONENTS = _words(f"e-{zeros + 1:02d}" for zeros in range(_DECADES + 1))
_POWERS = 10.0 ** np.arange(6, 7 + _DECADES)
# By a float32's exponent: zeros after the decimal point of its largest value, and the value below which
# there is one more.
_ZEROS = np.array([_decade(math.ldexp(2 - 2**-23, binade - 127)) for binade in range(256)])
_BELOW = np.where(_ZEROS < _DECADES, 10.0 ** -(_ZEROS + 1.0), 0.0)
