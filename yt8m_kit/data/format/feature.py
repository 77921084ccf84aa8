"""A Feature: a list of bytes, floats or integers of a record."""

from collections.abc import Iterator

import numpy as np

from yt8m_kit.data.format.protobuf import DELIMITED, FIXED32, VARINT, fields, sole, varint
from yt8m_kit.errors import DataError

KINDS = {1: "bytes", 2: "floats", 3: "integers"}
BYTES, FLOATS, INTEGERS = KINDS

Span = tuple[int, int]  # start and end byte within the record


def value(data: memoryview, feature: Span, field: str) -> tuple[int, Span] | None:
    """Kind and span of the list in a Feature; None if there is none."""
    only = sole(data, *feature)
    if only and only[0] in KINDS:
        return only[0], only[1:]
    found = [
        (number, (start, end))
        for number, wire, start, end in fields(data, *feature)
        if wire == DELIMITED and number in KINDS
    ]
    if len(found) > 1:
        raise DataError(f"{field} is split into several lists")
    return found[0] if found else None


def strings(data: memoryview, feature: Span, field: str) -> list[Span]:
    """Spans of the byte strings in a Feature."""
    found = value(data, feature, field)
    if found is None:
        return []
    kind, span = found
    if kind != BYTES:
        raise DataError(f"{field} holds {KINDS[kind]}; expected bytes")
    only = sole(data, *span)
    if only and only[0] == 1:
        return [only[1:]]
    return [
        (start, end) for number, wire, start, end in fields(data, *span) if number == 1 and wire == DELIMITED
    ]


def floats(data: memoryview, feature: Span, field: str) -> np.ndarray:
    """float32 (k,): the values of a FloatList, packed or not. Raises DataError if one is not finite."""
    found = value(data, feature, field)
    kind, span = found or (FLOATS, (0, 0))
    if kind != FLOATS:
        raise DataError(f"{field} holds {KINDS[kind]}; expected floats")
    parts = [
        data[start:end]
        for number, wire, start, end in fields(data, *span)
        if number == 1 and wire in (DELIMITED, FIXED32)
    ]
    if sum(map(len, parts)) % 4:
        raise DataError(f"{field} ends within a number")
    values = np.frombuffer(b"".join(parts), "<f4")
    if not np.isfinite(values).all():
        raise DataError(f"{field} holds a value that is not finite")
    return values


def integers(data: memoryview, feature: Span | None, field: str) -> list[int]:
    """The values of an Int64List; empty where the field is absent or empty."""
    found = None if feature is None else value(data, feature, field)
    if found is None:
        return []
    kind, span = found
    if kind != INTEGERS:
        raise DataError(f"{field} holds {KINDS[kind]}; expected integers")
    return list(_integers(data, span, field))


def _integers(data: memoryview, span: Span, field: str) -> Iterator[int]:
    """The values of an Int64List, packed or not."""
    for number, wire, at, end in fields(data, *span):
        if number != 1:
            continue
        if wire not in (VARINT, DELIMITED):
            raise DataError(f"{field} has wire type {wire}")
        while at < end:
            number, at = varint(data, at)
            if at > end:
                raise DataError(f"{field} ends within a number")
            yield number - (1 << 64) if number >> 63 else number
