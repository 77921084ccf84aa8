"""TFRecord framing, read and written without TensorFlow.

A shard is a sequence of records: length (uint64), its masked CRC-32C (uint32), that many payload bytes, the
masked CRC-32C of the payload (uint32), all little endian. https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np

from yt8m_kit.errors import DataError
from yt8m_kit.output.files import replacing

FOOTER = 4  # bytes after the payload: its CRC
_HEADER = 12  # bytes before it: its length and the CRC of that
_FRAMING = _HEADER + FOOTER
_GZIP = b"\x1f\x8b"


class RecordError(DataError):
    """A fault at a known place: `file`, `record` (from 0; None where the whole file is meant), `reason`."""

    def __init__(self, file: Path, record: int | None, reason: str):
        self.file, self.record, self.reason = file, record, reason
        super().__init__(f"{file}: {reason}" if record is None else f"{file} record {record}: {reason}")


class Index(NamedTuple):
    """Where the payloads of a shard lie, int64 (N,) each, up to the first fault in its framing."""

    offsets: np.ndarray
    lengths: np.ndarray
    fault: RecordError | None


def masked_crc(data: bytes | np.ndarray) -> int:
    """CRC-32C of bytes or of contiguous uint8, rotated and offset as TFRecord stores it."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def walk(path: Path, file: int) -> Index:
    """The index of an open shard, from its record headers alone, whose CRCs are checked.

    file: a descriptor open for reading. path: only names the shard in the fault.
    A fault in the framing hides all that follows it, so the index ends there.
    """
    size = os.fstat(file).st_size
    fault = _file_fault(path, os.pread(file, _HEADER, 0))
    offsets: list[int] = []
    lengths: list[int] = []
    at = 0
    while at < size and fault is None:
        header = os.pread(file, _HEADER, at)
        reason = _header_fault(header, size - at)
        if reason:
            fault = RecordError(path, len(offsets), reason)
            break
        length = int.from_bytes(header[:8], "little")
        offsets.append(at + _HEADER)
        lengths.append(length)
        at += length + _FRAMING
    return Index(np.array(offsets, np.int64), np.array(lengths, np.int64), fault)


def _file_fault(path: Path, header: bytes) -> RecordError | None:
    """What the first bytes of a file say against its being a shard."""
    if not header:
        return RecordError(path, None, "empty shard (0 bytes)")
    if header.startswith(_GZIP):
        return RecordError(path, None, "no TFRecord file but gzip: decompress it first")
    if len(header) < _HEADER or not _intact(header):
        return RecordError(path, None, "no TFRecord file (its first record header is wrong)")
    return None


def _header_fault(header: bytes, remaining: int) -> str | None:
    """What is wrong with a record header that starts `remaining` bytes before the end of the file."""
    rest = "the rest of the shard cannot be read"
    if len(header) < _HEADER:
        return f"truncated: the file ends within a record header; {rest}"
    if not _intact(header):
        return f"length CRC mismatch; {rest}"
    needed = int.from_bytes(header[:8], "little") + _FRAMING
    return f"truncated: needs {needed} bytes, the file has {remaining} left" if needed > remaining else None


def _intact(header: bytes) -> bool:
    return masked_crc(header[:8]) == int.from_bytes(header[8:], "little")


def index(path: Path) -> Index:
    """The index of a shard, see walk. Raises DataError if the file cannot be opened."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return walk(path, file)
    finally:
        os.close(file)


def framed(payload: bytes) -> bytes:
    """A record as it stands in a shard: length, its CRC, payload, its CRC."""
    length = len(payload).to_bytes(8, "little")
    header = length + masked_crc(length).to_bytes(4, "little")
    return header + payload + masked_crc(payload).to_bytes(4, "little")


@contextmanager
def writing(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Writes a shard. Inside the `with` block the function that it gives appends a record.

    It takes its name when it is complete; if the block raises, an older shard of that name stays as it was.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:

        def write(payload: bytes) -> None:
            file.write(framed(payload))

        yield write
