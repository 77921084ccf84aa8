"""Parsing and validation of a submission CSV."""

# N videos, k label-confidence pairs of a video

import csv
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from yt8m_kit.errors import KitError
from yt8m_kit.metrics import TOP

HEADER = "VideoId,LabelConfidencePairs"
BLOCK = 4 << 20  # bytes parsed at a time
SPACE, COMMA, NEWLINE = b" ,\n"

Block = tuple[list[str], NDArray[np.int32], NDArray[np.float64]]


def read(path: Path, classes: int) -> tuple[list[str], NDArray[np.int32], NDArray[np.float32]]:
    """Read ids, labels int32 (N, k) and confidences float32 (N, k) of a CSV; k = min(20, classes).

    Raises KitError naming the line for: a wrong header, a row without k pairs, a label or confidence that
    is not a number or out of range, increasing confidences, a duplicate label; and for a duplicate id.
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
        raise KitError(f"{path}: video {Counter(ids).most_common(1)[0][0]!r} occurs more than once.")
    return ids, np.concatenate(labels), np.concatenate(confidences)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file in blocks of complete lines, each line with its newline."""
    while block := file.read(BLOCK) + file.readline():
        yield block if block.endswith(b"\n") else block + b"\n"


def _parse(block: bytes, pairs: int) -> Block:
    """ids, labels (N, k), confidences (N, k) of complete lines; ValueError for a malformed line.

    pandas parses the numbers, several times as fast as Python; as commas become spaces for it, the
    positions of both are checked first: one comma, then 2k - 1 spaces in every line.
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
    """Labels and confidences of each line, in 2k alternating columns."""
    kinds = {column: np.int32 if column % 2 else np.float64 for column in range(1, 2 * pairs + 1)}
    return pd.read_csv(
        BytesIO(block), sep=" ", header=None, usecols=list(kinds), dtype=kinds, na_filter=False,
        skip_blank_lines=False, quoting=csv.QUOTE_NONE,
    )  # fmt: skip


def _check(part: Block, classes: int) -> None:
    """Raise ValueError unless labels are distinct classes and confidences in [0, 1] do not increase."""
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
    """Number of the first malformed line and its fault; first: number of the block's first line."""
    lines = block.decode(errors="replace").split("\n")[:-1]
    for number, line in enumerate(lines, first):
        if reason := _fault_of_line(line.rstrip("\r"), pairs, classes):
            return f"line {number}{reason}."
    return f"lines {first} to {first + len(lines) - 1} hold a value that is not a plain number."


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
        return f": label {Counter(labels).most_common(1)[0][0]:g} occurs twice"
    wrong = [confidence for confidence in confidences if not 0 <= confidence <= 1]
    if wrong:
        return f": confidences must lie between 0 and 1; got {wrong[0]:g}"
    if confidences != sorted(confidences, reverse=True):
        return ": confidences must not increase along the row"
    return ""


def check(path: Path, classes: int, videos: int | None) -> None:
    """Raise KitError unless the CSV is well formed and has `videos` rows (None: any number)."""
    ids, _, _ = read(path, classes)
    if videos is not None and len(ids) != videos:
        raise KitError(f"{path} has {len(ids)} rows; the split has {videos} videos.")
