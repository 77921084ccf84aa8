"""TFRecord framing without TensorFlow.

A shard is a sequence of records: payload length (uint64), masked CRC-32C of the length (uint32), payload,
masked CRC-32C of the payload (uint32), all little-endian. https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np

from yt8m_kit.errors import DataError
from yt8m_kit.output.files import replacing
from yt8m_kit.stores.path import DataPath

FOOTER = 4  # bytes after the payload: CRC
HEADER = 12  # bytes before the payload: length and CRC of the length
FRAMING = HEADER + FOOTER
_GZIP = b"\x1f\x8b"


class RecordError(DataError):
    """A fault with its location: `file`, `record` (from 0; None: the whole file) and `reason`.

    hidden: estimated number of further records that it hides.
    """

    def __init__(self, file: DataPath, record: int | None, reason: str):
        self.file, self.record, self.reason = file, record, reason
        self.hidden = 0
        super().__init__(f"{file}: {reason}" if record is None else f"{file} record {record}: {reason}")


class Index(NamedTuple):
    """Offsets and lengths of a shard's payloads in bytes, int64 (N,) each, up to its first framing error.

    hidden: bytes from that error to the end of the shard.
    """

    offsets: np.ndarray
    lengths: np.ndarray
    fault: RecordError | None
    hidden: int = 0


def masked_crc(data: bytes | np.ndarray) -> int:
    """Masked CRC-32C, as in TFRecord files, of bytes or of a contiguous uint8 array."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def scan_headers(path: DataPath, file: int, limit: int | None = None) -> Index:
    """Index an open shard by its record headers; their CRCs are checked, payloads are not read.

    file: a descriptor open for reading. path: names the shard in the fault. limit: records to index, None for
    all. A framing error hides all records after it, so the index ends there.
    """
    size = os.fstat(file).st_size
    fault = _file_fault(path, os.pread(file, HEADER, 0))
    offsets: list[int] = []
    lengths: list[int] = []
    at = 0
    while at < size and fault is None and len(offsets) != limit:
        header = os.pread(file, HEADER, at)
        reason = _header_fault(header, size - at)
        if reason:
            fault = RecordError(path, len(offsets), reason)
            break
        length = int.from_bytes(header[:8], "little")
        offsets.append(at + HEADER)
        lengths.append(length)
        at += length + FRAMING
    return Index(np.array(offsets, np.int64), np.array(lengths, np.int64), fault, size - at if fault else 0)


def _file_fault(path: DataPath, header: bytes) -> RecordError | None:
    """The fault if the first bytes of a file are not those of a shard."""
    if not header:
        return RecordError(path, None, "empty shard (0 bytes)")
    if header.startswith(_GZIP):
        return RecordError(path, None, "not a TFRecord file but gzip: decompress it first")
    if len(header) < HEADER or not _intact(header):
        return RecordError(path, None, "not a TFRecord file (its first record header is wrong)")
    return None


def _header_fault(header: bytes, remaining: int) -> str | None:
    """The fault of a record header that starts `remaining` bytes before the end of the file, if any."""
    rest = "the rest of the shard cannot be read"
    if len(header) < HEADER:
        return f"truncated: the file ends within a record header; {rest}"
    if not _intact(header):
        return f"length CRC mismatch; {rest}"
    needed = int.from_bytes(header[:8], "little") + FRAMING
    return f"truncated: needs {needed} bytes, the file has {remaining} left" if needed > remaining else None


def _intact(header: bytes) -> bool:
    return masked_crc(header[:8]) == int.from_bytes(header[8:], "little")


def index(path: Path) -> Index:
    """Index a shard, see scan_headers. Raises DataError if the file cannot be opened."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return scan_headers(path, file)
    finally:
        os.close(file)


def framed(payload: bytes) -> bytes:
    """Frame a payload as a record: length, its CRC, payload, its CRC."""
    length = len(payload).to_bytes(8, "little")
    header = length + masked_crc(length).to_bytes(4, "little")
    return header + payload + masked_crc(payload).to_bytes(4, "little")


@contextmanager
def writing(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Write a shard atomically: a context manager whose value is a function that appends a payload.

    If the block raises, an existing shard of that name is unchanged.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:

        def write(payload: bytes) -> None:
            file.write(framed(payload))

        yield write


def write_shards(records: Iterator[bytes], folder: Path, split: str, size: int) -> int:
    """Write FOLDER/SPLIT0000.tfrecord and so on, `size` payloads each; returns the number of payloads."""
    count = 0
    for record in records:  # the first of a shard
        with writing(folder / f"{split}{count // size:04d}.tfrecord") as write:
            for each in itertools.chain([record], itertools.islice(records, size - 1)):
                write(each)
                count += 1
    return count
