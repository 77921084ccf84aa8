"""A FeatureList: the frames of a video, located by their stride and returned as views."""

# n frames of a video, width values of a feature

from functools import cache

import numpy as np

from yt8m_kit.data.format.feature import BYTES, FLOATS, Span, floats, strings, value
from yt8m_kit.data.format.feature_quantization import quantize
from yt8m_kit.data.format.protobuf import DELIMITED, delimited, fields
from yt8m_kit.errors import DataError


def read_frames(record: np.ndarray, data: memoryview, span: Span, name: str, width: int) -> np.ndarray:
    """Read the frames in `span`: uint8 (n, width), a view of the record for bytes in the usual encoding.

    Frames of floats, as feature extractors write them, are quantized as those of YouTube-8M. Raises DataError
    for a frame of another width or kind, or a value that is not finite.
    """
    view = _strided(record, span, _header(width, BYTES), width)
    if view is not None:
        return view
    view = _strided(record, span, _header(4 * width, FLOATS), 4 * width)
    if view is None:
        return _parsed(record, data, span, name, width)
    frames = np.ascontiguousarray(view).view("<f4")
    if not np.isfinite(frames).all():
        raise DataError(f"{name} holds a value that is not finite")
    return quantize(frames)


def _strided(record: np.ndarray, span: Span, header: bytes, size: int) -> np.ndarray | None:
    """uint8 (n, size): a view of the frames if all are `header` and `size` bytes, else None."""
    start, end = span
    stride = len(header) + size
    count, odd = divmod(end - start, stride)
    if odd or not count:
        return None
    heads = np.ndarray((count,), f"V{len(header)}", record, start, (stride,))
    if heads.tobytes() != header * count:  # all headers in one comparison
        return None
    return np.ndarray((count, size), np.uint8, record, start + len(header), (stride, 1))


def _parsed(record: np.ndarray, data: memoryview, span: Span, name: str, width: int) -> np.ndarray:
    """uint8 (n, width): the frames in any legal encoding, parsed one by one."""
    rows: list[np.ndarray] = []
    for number, wire, start, end in fields(data, *span):
        if number == 1 and wire == DELIMITED:
            rows.append(_frame(record, data, (start, end), f"{name} frame {len(rows)}", width))
    return np.array(rows, np.uint8).reshape(len(rows), width)


def _frame(record: np.ndarray, data: memoryview, feature: Span, frame: str, width: int) -> np.ndarray:
    """uint8 (width,): one frame of bytes or floats."""
    found = value(data, feature, frame)
    if found and found[0] == FLOATS:
        values = floats(data, feature, frame)
        if len(values) != width:
            raise DataError(f"{frame} has {len(values)} floats; expected {width}")
        return quantize(values)
    spans = strings(data, feature, frame)
    if len(spans) != 1:
        raise DataError(f"{frame} holds {len(spans)} values; expected one")
    first, last = spans[0]
    if last - first != width:
        raise DataError(f"{frame} has {last - first} bytes; expected {width}")
    return record[first:last]


@cache
def _header(size: int, kind: int) -> bytes:
    """Bytes before each frame of `size` bytes: tags and lengths of Feature, list and value."""
    frame = delimited(1, delimited(kind, delimited(1, bytes(size))))
    return frame[: len(frame) - size]


def encode_frames(frames: np.ndarray) -> bytes:
    """Serialize uint8 (n, width) as a FeatureList with one bytes value per row."""
    header = np.frombuffer(_header(frames.shape[1], BYTES), np.uint8)
    return np.hstack([np.broadcast_to(header, (len(frames), len(header))), frames]).tobytes()
