"""SequenceExample and Example, straight from their protobuf wire format.

Frames of a record have one width, so in the encoding that every writer produces they lie a fixed stride
apart. They are found by walking the few tags around them and handed out as strided views, never parsed one
by one.

Example { Features = 1 }                    SequenceExample { Features context = 1; FeatureLists = 2 }
Features { map<string, Feature> = 1 }       FeatureLists { map<string, FeatureList> = 1 }
Feature { BytesList = 1 | FloatList = 2 | Int64List = 3 }      FeatureList { repeated Feature = 1 }
BytesList, FloatList, Int64List { repeated value = 1 }, numbers packed or not
"""

# n frames of a video, width bytes of a feature

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from yt8m_kit.data.wire import DELIMITED, FIXED32, VARINT, delimited, encoded_varint, fields, sole, varint
from yt8m_kit.errors import DataError
from yt8m_kit.spec import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, Dataset

_KINDS = {1: "bytes", 2: "floats", 3: "integers"}
_BYTES, _FLOATS, _INTEGERS = _KINDS

Span = tuple[int, int]  # start and end of a part of the record


class Video(NamedTuple):
    """One record. features: uint8 (n, width) each, in the data set's order; views of it where they can be."""

    id: str
    labels: list[int]
    features: list[np.ndarray]


def parse(record: np.ndarray, dataset: Dataset) -> Video:
    """Reads a SequenceExample, or an Example of frame means as a video of one frame.

    record: the payload, uint8 (bytes,), contiguous. The views in the answer last as long as it is unchanged.
    Means (float lists `mean_NAME`) become the bytes that dequantize nearest: at most 2/255 off, half a step,
    within what bytes can express (-1.992 to 2.008); what lies beyond is clipped.
    Raises DataError, naming the field, for anything that is not what the data set describes.
    """
    data = record.data
    context: dict[bytes, Span] = {}
    lists: dict[bytes, Span] = {}
    try:
        for number, wire, start, end in fields(data, 0, len(data)):
            if wire == DELIMITED and number in (1, 2):
                _read_map(data, start, end, context if number == 1 else lists)
        identity = _id(data, context, dataset.id_keys)
        labels = _labels(data, context.get(b"labels"), dataset.classes)
        features = _features(record, data, context, lists, dataset)
    except IndexError:  # a varint that runs over the end of the record
        raise DataError("no SequenceExample: the record ends within a field") from None
    return Video(identity, labels, features)


def _read_map(data: memoryview, at: int, end: int, into: dict[bytes, Span]) -> None:
    """Adds key -> span of the value for each map entry in data[at:end]; of equal keys the last counts."""
    for number, wire, start, stop in fields(data, at, end):
        if number == 1 and wire == DELIMITED:
            key_end = start + 2 + data[start + 1]
            if data[start] == 0x0A and data[start + 1] < 0x80 and key_end < stop:  # usually the key is first
                value = sole(data, key_end, stop)
                if value and value[0] == 2:
                    into[bytes(data[start + 2 : key_end])] = value[1:]
                    continue
            key, span = _entry_parts(data, start, stop)
            into[key] = span


def _entry_parts(data: memoryview, start: int, end: int) -> tuple[bytes, Span]:
    """Key and span of the value of a map entry, whatever their order and company."""
    parts: dict[int, Span] = {}
    for number, wire, first, last in fields(data, start, end):
        if wire == DELIMITED and parts.setdefault(number, (first, last)) != (first, last):
            # Legal, the parts would be merged; but no writer does it.
            raise DataError(f"field {number} of the map entry at byte {start} is given in parts")
    first, last = parts.get(1, (end, end))
    return bytes(data[first:last]), parts.get(2, (end, end))


def _value(data: memoryview, feature: Span, field: str) -> tuple[int, Span] | None:
    """Kind and span of the list in a Feature; None if it holds none."""
    value = sole(data, *feature)
    if value and value[0] in _KINDS:
        return value[0], value[1:]
    found = [
        (number, (start, end))
        for number, wire, start, end in fields(data, *feature)
        if wire == DELIMITED and number in _KINDS
    ]
    if len(found) > 1:
        raise DataError(f"{field} is given in parts")
    return found[0] if found else None


def _strings(data: memoryview, feature: Span, field: str) -> list[Span]:
    """Spans of the byte strings in a Feature."""
    value = _value(data, feature, field)
    if value is None:
        return []
    kind, span = value
    if kind != _BYTES:
        raise DataError(f"{field} holds {_KINDS[kind]}; expected bytes")
    only = sole(data, *span)
    if only and only[0] == 1:
        return [only[1:]]
    return [
        (start, end) for number, wire, start, end in fields(data, *span) if number == 1 and wire == DELIMITED
    ]


def _id(data: memoryview, context: dict[bytes, Span], keys: Sequence[str]) -> str:
    """The video's id: the first of `keys` that is there."""
    for key in keys:
        feature = context.get(key.encode())
        if feature is None:
            continue
        spans = _strings(data, feature, key)
        if len(spans) != 1:
            raise DataError(f"{key} must hold one id; got {len(spans)}")
        if spans[0][0] == spans[0][1]:
            raise DataError(f"{key} is empty")
        try:
            return str(data[slice(*spans[0])], "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{key} is not UTF-8: {bytes(data[slice(*spans[0])])!r}") from None
    raise DataError(f"id is missing; looked for {' and '.join(keys)}")


def _labels(data: memoryview, feature: Span | None, classes: int) -> list[int]:
    """The label numbers, each checked to be one of `classes`; none where the field is absent or empty."""
    value = None if feature is None else _value(data, feature, "labels")
    if value is None:
        return []
    kind, span = value
    if kind != _INTEGERS:
        raise DataError(f"labels holds {_KINDS[kind]}; expected integers")
    labels = list(_integers(data, span))
    for label in labels:
        if not 0 <= label < classes:
            raise DataError(f"labels holds {label}; expected 0 to {classes - 1}")
    return labels


def _integers(data: memoryview, span: Span) -> Iterator[int]:
    """The values of an Int64List, packed or not."""
    for number, wire, at, end in fields(data, *span):
        if number != 1:
            continue
        if wire not in (VARINT, DELIMITED):
            raise DataError(f"labels has wire type {wire}")
        while at < end:
            value, at = varint(data, at)
            if at > end:
                raise DataError("labels ends within a number")
            yield value - (1 << 64) if value >> 63 else value


def _features(
    record: np.ndarray,
    data: memoryview,
    context: dict[bytes, Span],
    lists: dict[bytes, Span],
    dataset: Dataset,
) -> list[np.ndarray]:
    """uint8 (n, width) of each feature of the data set; n is the same for all and positive."""
    features: list[np.ndarray] = []
    for name, width in dataset.features:
        span = lists.get(name.encode())
        if span is None:
            return _means(data, context, lists, dataset)
        frames = _frames(record, data, span, name, width)
        if features and len(frames) != len(features[0]):
            first = dataset.features[0][0]
            raise DataError(f"{first} has {len(features[0])} frames but {name} {len(frames)}")
        features.append(frames)
    if not len(features[0]):
        raise DataError(f"{dataset.features[0][0]} has no frames")
    return features


def _means(
    data: memoryview, context: dict[bytes, Span], lists: dict[bytes, Span], dataset: Dataset
) -> list[np.ndarray]:
    """uint8 (1, width) of each feature of a video-level record. DataError if it is none."""
    missing = [name for name, _ in dataset.features if name.encode() not in lists]
    some_mean = any(f"mean_{name}".encode() in context for name in missing)
    if len(missing) < len(dataset.features) or not some_mean:
        there = ", ".join(sorted(key.decode("utf-8", "replace") for key in lists)) or "no feature lists"
        raise DataError(f"feature {missing[0]} is missing; the record has {there}")
    return [_mean(data, context, f"mean_{name}", width) for name, width in dataset.features]


def _frames(record: np.ndarray, data: memoryview, span: Span, name: str, width: int) -> np.ndarray:
    """uint8 (n, width) frames of the FeatureList in `span`: a view, or a copy if it is encoded unusually."""
    start, end = span
    header = _frame_header(width)
    stride = len(header) + width
    count, odd = divmod(end - start, stride)
    if not odd and count:
        heads = np.ndarray((count,), f"V{len(header)}", record, start, (stride,))
        if heads.tobytes() == header * count:  # one comparison for all frames
            return np.ndarray((count, width), np.uint8, record, start + len(header), (stride, 1))
    return _parsed_frames(record, data, span, name, width)


def _parsed_frames(record: np.ndarray, data: memoryview, span: Span, name: str, width: int) -> np.ndarray:
    """The same for any legal encoding, frame by frame."""
    rows: list[np.ndarray] = []
    for number, wire, start, end in fields(data, *span):
        if number != 1 or wire != DELIMITED:
            continue
        frame = f"{name} frame {len(rows)}"
        values = _strings(data, (start, end), frame)
        if len(values) != 1:
            raise DataError(f"{frame} holds {len(values)} values; expected one")
        first, last = values[0]
        if last - first != width:
            raise DataError(f"{frame} has {last - first} bytes; expected {width}")
        rows.append(record[first:last])
    return np.array(rows, np.uint8).reshape(len(rows), width)


@cache
def _frame_header(width: int) -> bytes:
    """The bytes before each frame: tags and lengths of Feature, BytesList and value."""
    frame = delimited(1, delimited(_BYTES, delimited(1, bytes(width))))
    return frame[: len(frame) - width]


def _mean(data: memoryview, context: dict[bytes, Span], key: str, width: int) -> np.ndarray:
    """uint8 (1, width): the float list of a video-level record as the nearest bytes."""
    feature = context.get(key.encode())
    if feature is None:
        raise DataError(f"feature {key} is missing")
    value = _value(data, feature, key)
    kind, span = value or (_FLOATS, (0, 0))
    if kind != _FLOATS:
        raise DataError(f"{key} holds {_KINDS[kind]}; expected floats")
    parts = [
        data[start:end]
        for number, wire, start, end in fields(data, *span)
        if number == 1 and wire in (DELIMITED, FIXED32)
    ]
    mean = np.frombuffer(b"".join(parts), "<f4") if sum(map(len, parts)) % 4 == 0 else np.empty(0)
    if len(mean) != width:
        raise DataError(f"{key} has {len(mean)} values; expected {width}")
    if not np.isfinite(mean).all():
        raise DataError(f"{key} holds a value that is not finite")
    return requantize(mean)[np.newaxis]


def requantize(floats: np.ndarray) -> np.ndarray:
    """uint8 of the same shape: for each float the byte whose dequantization lies nearest."""
    codes = np.rint((floats.astype(np.float64) - DEQUANTIZE_OFFSET) / DEQUANTIZE_SCALE)
    return np.clip(codes, 0, 255).astype(np.uint8)


def sequence_example(
    video_id: str, labels: Sequence[int] | None, features: Mapping[str, np.ndarray], *, id_key: str = "id"
) -> bytes:
    """A serialized frame-level record. features: uint8 (n, width) by name. labels: None omits the field."""
    lists = b"".join(_entry(name, _encoded_frames(frames)) for name, frames in features.items())
    return delimited(1, _context(video_id, labels, id_key)) + delimited(2, lists)


def example(
    video_id: str, labels: Sequence[int] | None, means: Mapping[str, np.ndarray], *, id_key: str = "id"
) -> bytes:
    """A serialized video-level record. means: float32 (width,) by feature name, stored as `mean_NAME`."""
    context = _context(video_id, labels, id_key)
    for name, mean in means.items():
        values = delimited(1, mean.astype("<f4").tobytes())
        context += _entry(f"mean_{name}", delimited(_FLOATS, values))
    return delimited(1, context)


def _context(video_id: str, labels: Sequence[int] | None, id_key: str) -> bytes:
    context = _entry(id_key, delimited(_BYTES, delimited(1, video_id.encode())))
    if labels is not None:
        packed = b"".join(encoded_varint(label % (1 << 64)) for label in labels)
        context += _entry("labels", delimited(_INTEGERS, delimited(1, packed)))
    return context


def _encoded_frames(frames: np.ndarray) -> bytes:
    """A FeatureList of one bytes value per row of uint8 (n, width)."""
    header = np.frombuffer(_frame_header(frames.shape[1]), np.uint8)
    return np.hstack([np.broadcast_to(header, (len(frames), len(header))), frames]).tobytes()


def _entry(key: str, value: bytes) -> bytes:
    return delimited(1, delimited(1, key.encode()) + delimited(2, value))
