"""The subset of the protobuf wire format that records use.

A message is a sequence of fields: a tag (number << 3 | wire type), then the value. Integers are varints, 7
bits per byte, least significant first. https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

from yt8m_kit.errors import DataError

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5


def fields(data: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, start and end of each field of the message in data[at:end]."""
    while at < end:
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = varint(data, at - 1)
        wire = tag & 7
        if wire == DELIMITED:
            size = data[at]
            at += 1
            if size >= 0x80:
                size, at = varint(data, at - 1)
            stop = at + size
        elif wire == VARINT:
            stop = varint(data, at)[1]
        elif wire in (FIXED32, FIXED64):
            stop = at + (4 if wire == FIXED32 else 8)
        else:
            raise DataError(f"not a SequenceExample: wire type {wire} at byte {at}")
        if stop > end:
            raise DataError(f"not a SequenceExample: the field at byte {at} exceeds its message")
        yield tag >> 3, wire, at, stop
        at = stop


def sole(data: memoryview, start: int, end: int) -> tuple[int, int, int] | None:
    """Number, start and end of the only field of a message, if it is delimited; else None.

    A fast path of `fields` for most messages of a record.
    """
    if start == end or data[start] & 0x87 != DELIMITED:
        return None
    size, at = data[start + 1], start + 2
    if size >= 0x80:
        size, at = varint(data, start + 1)
    return (data[start] >> 3, at, end) if at + size == end else None


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """Decode the varint at `at`: value and end. IndexError if the record ends within it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise DataError(f"not a SequenceExample: a varint of more than 10 bytes before byte {at}")


def delimited(number: int, payload: bytes) -> bytes:
    """Encode a length-delimited field."""
    return encoded_varint(number << 3 | DELIMITED) + encoded_varint(len(payload)) + payload


def encoded_varint(value: int) -> bytes:
    """Encode an unsigned integer as a varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
