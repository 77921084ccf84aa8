"""The competition's CSV: how rows are written, and what a file must be before it is handed in."""

# N videos, k label-confidence pairs of a video

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from yt8m_kit.errors import KitError
from yt8m_kit.metrics import TOP

HEADER = "VideoId,LabelConfidencePairs"
BLOCK = 4 << 20  # bytes looked at together
SPACE, COMMA, NEWLINE = b" ,\n"

Block = tuple[list[str], NDArray[np.int32], NDArray[np.float64]]


def text(ids: list[str], labels_Nk: NDArray[np.int32], confidences_Nk: NDArray[np.float32]) -> str:
    """Lines `id,label confidence label confidence ...`, labels (below 10^7) %i, confidences %g.

    Digits are looked up in tables, many times as fast as Python formats them.
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
    """Fill the fields of a confidence's digits, six and a power of ten."""
    odd = ~((confidences >= _LEAST) & (confidences < 0.999999))  # for Python: 0, 1, what is no probability
    values = np.where(odd, np.float32(0.5), confidences)
    binades = values.view(np.uint32) >> 23
    zeros = _ZEROS[binades]
    exact = values.astype(np.float64)
    zeros += exact < _BELOW[binades]
    exact *= _POWERS[zeros]
    digits = np.rint(exact).astype(np.uint32)
    # Up to 10^12 the product is exact, and rint rounds a tie as %g does; beyond, one may look like a tie.
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
    """Each text as a number of that type, whose bytes it is, the rest NUL."""
    return np.array([text.encode() for text in texts], f"S{np.dtype(kind).itemsize}").view(kind)


def _word(text: str) -> Any:
    return _words([text])[0]


@cache
def _label_words(digits: int) -> NDArray[np.uint64]:
    return _words(f"{label} " for label in range(10**digits))


def _decade(value: float) -> int:
    """Zeros behind the point of a value."""
    return next((zeros for zeros in range(_DECADES) if value >= 10.0 ** -(zeros + 1)), _DECADES)


# A pair in fields; what they do not fill is NUL and dropped in the end: "3861 ", "0.00", "123", "456", " ",
# or "3861 ", "1.", "23", "456", "e-05 ". _OTHER: the same bytes, for confidences that Python formats.
_PAIR = np.dtype([("label", "u8"), ("lead", "u8"), ("high", "u4"), ("low", "u4"), ("end", "u8")])
_OTHER = np.dtype([("label", "u8"), ("confidence", "S16"), ("end", "u8")])
_THREE = [f"{number:03d}" for number in range(1000)]
_TWO = [f"{number:02d}" for number in range(100)]
# Where nothing but zeros follow, %g leaves out those before them: the tables' second halves.
_LOW = _words((number.rstrip("0") for number in _THREE), np.uint32)
_HIGH = np.concatenate([_words(_THREE, np.uint32), _LOW])
_SECOND = _words([*_TWO, *(number.rstrip("0") for number in _TWO)], np.uint32)
_FIRST = _words(f"{digit}{point}" for point in ("", ".") for digit in range(10))
_LEADS = _words("0." + "0" * zeros for zeros in range(4))
_LEAST = np.float32(2.0**-126)  # the least float32 of full precision
_DECADES = 37  # zeros behind its point
_EXPONENTS = _words(f"e-{zeros + 1:02d}" for zeros in range(_DECADES + 1))
_POWERS = 10.0 ** np.arange(6, 7 + _DECADES)
# By a float32's exponent: zeros behind the point of the largest value, and the value below which there is
# one more.
_ZEROS = np.array([_decade(math.ldexp(2 - 2**-23, binade - 127)) for binade in range(256)])
_BELOW = np.where(_ZEROS < _DECADES, 10.0 ** -(_ZEROS + 1.0), 0.0)


def read(path: Path, classes: int) -> tuple[list[str], NDArray[np.int32], NDArray[np.float32]]:
    """ids, labels int32 (N, k) and confidences float32 (N, k) of a CSV; k is 20 or all classes if fewer.

    Raises KitError naming the line for: a wrong header, a row that does not hold k pairs, a label or
    confidence that is no number or out of range, confidences that rise, a label or an id given twice.
    """
    pairs = min(TOP, classes)
    ids: list[str] = []
    labels = [np.empty((0, pairs), np.int32)]
    confidences = [np.empty((0, pairs), np.float32)]
    with path.open("rb") as file:
        if file.readline().rstrip(b"\r\n") != HEADER.encode():
            raise KitError(f"{path}: line 1 must be {HEADER!r}.")
        for block in _blocks(file):
            try:
                part = _parse(block, pairs)
                _check(part, classes)
            except (ValueError, OverflowError):
                raise KitError(f"{path}: {_fault(block, pairs, classes, first=len(ids) + 2)}") from None
            ids += part[0]
            labels.append(part[1])
            confidences.append(part[2].astype(np.float32))
    if len(set(ids)) < len(ids):
        raise KitError(f"{path}: video {Counter(ids).most_common(1)[0][0]!r} stands more than once.")
    return ids, np.concatenate(labels), np.concatenate(confidences)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file in blocks of whole lines, each line with its newline."""
    while block := file.read(BLOCK) + file.readline():
        yield block if block.endswith(b"\n") else block + b"\n"


def _parse(block: bytes, pairs: int) -> Block:
    """ids, labels (N, k), confidences (N, k) of whole lines; ValueError where a line is not well formed.

    pandas reads the numbers, several times as fast as Python would; it takes commas for spaces, so that
    the places of both are looked at first: a comma, then 2k - 1 spaces in every line.
    """
    text = np.frombuffer(block, np.uint8)
    ends, commas, spaces = (np.flatnonzero(text == mark) for mark in (NEWLINE, COMMA, SPACE))
    starts = np.append(0, ends[:-1] + 1)
    inner = spaces.reshape(len(ends), 2 * pairs - 1)
    marks = np.column_stack([starts, commas, inner[:, 0], inner[:, -1], ends])
    if not (np.diff(marks, axis=1) >= (1, 2, 0, 2)).all():
        raise ValueError
    videos = [block[start:comma] for start, comma in zip(starts.tolist(), commas.tolist())]
    table = _table(block.replace(b",", b" "), pairs)
    if len(table) != len(ends):
        raise ValueError
    columns = [table.iloc[:, first::2].to_numpy() for first in (0, 1)]
    return b"\n".join(videos).decode().split("\n"), columns[0], columns[1]


def _table(block: bytes, pairs: int) -> Any:
    """The k labels and confidences of each line, in 2k columns."""
    kinds = {column: np.int32 if column % 2 else np.float64 for column in range(1, 2 * pairs + 1)}
    return pd.read_csv(
        BytesIO(block), sep=" ", header=None, usecols=list(kinds), dtype=kinds, na_filter=False,
        skip_blank_lines=False, quoting=csv.QUOTE_NONE,
    )  # fmt: skip


def _check(part: Block, classes: int) -> None:
    """ValueError unless labels are different classes and confidences from 0 to 1 do not rise."""
    _, labels, confidences = part
    ordered = np.sort(labels, axis=1)
    good = (
        (ordered[:, 0] >= 0)
        & (ordered[:, -1] < classes)
        & (ordered[:, 1:] > ordered[:, :-1]).all(axis=1)
        & (confidences[:, 0] <= 1)
        & (confidences[:, -1] >= 0)
        & (confidences[:, 1:] <= confidences[:, :-1]).all(axis=1)
    )
    if not good.all():
        raise ValueError


def _fault(block: bytes, pairs: int, classes: int, *, first: int) -> str:
    """The first line of a block that is wrong, and how; the block's first line has the number `first`."""
    lines = block.decode(errors="replace").split("\n")[:-1]
    for number, line in enumerate(lines, first):
        if reason := _fault_of_line(line.rstrip("\r"), pairs, classes):
            return f"line {number}{reason}."
    return f"lines {first} to {first + len(lines) - 1} hold something that is no plain number."


def _fault_of_line(line: str, pairs: int, classes: int) -> str:
    video, _, text = line.partition(",")
    words = text.split(" ")
    if not video or " " in video or len(words) != 2 * pairs:
        return f" must hold an id and {pairs} pairs; got {line[:60]!r}"
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        return f" must hold numbers: {error}"
    labels, confidences = values[::2], values[1::2]
    wrong = [label for label in labels if not 0 <= label < classes or label != int(label)]
    if wrong:
        return f": labels must be whole numbers from 0 to {classes - 1}; got {wrong[0]:g}"
    if len(set(labels)) < pairs:
        return f": a label stands twice: {Counter(labels).most_common(1)[0][0]:g}"
    wrong = [confidence for confidence in confidences if not 0 <= confidence <= 1]
    if wrong:
        return f": confidences must lie between 0 and 1; got {wrong[0]:g}"
    if confidences != sorted(confidences, reverse=True):
        return ": confidences must not rise along the row"
    return ""


def check(path: Path, classes: int, videos: int | None) -> None:
    """Raise KitError unless the CSV is well formed and has a row for each of `videos` videos, if known."""
    ids, _, _ = read(path, classes)
    if videos is not None and len(ids) != videos:
        raise KitError(f"{path} has {len(ids)} rows; the split has {videos} videos.")
