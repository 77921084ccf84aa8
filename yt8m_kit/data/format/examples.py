"""Parse and serialize SequenceExamples and Examples in the protobuf wire format.

All frames of a record have one width, so all common writers place them at a fixed stride. The parser reads
the few tags around them and returns strided views instead of parsing frames one by one (frame_list). Records
with floats in place of bytes, as the YouTube-8M starter's feature extractor or MediaPipe write them, are read
the same way.

Example { Features = 1 }                    SequenceExample { Features context = 1; FeatureLists = 2 }
Features { map<string, Feature> = 1 }       FeatureLists { map<string, FeatureList> = 1 }
Feature { BytesList = 1 | FloatList = 2 | Int64List = 3 }      FeatureList { repeated Feature = 1 }
BytesList, FloatList, Int64List { repeated value = 1 }, numbers packed or not
"""

# n frames of a video, width bytes of a feature

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from yt8m_kit.data.format.feature import BYTES, FLOATS, INTEGERS, Span, floats, integers, strings, value
from yt8m_kit.data.format.feature_quantization import requantize
from yt8m_kit.data.format.frame_list import encode_frames, read_frames
from yt8m_kit.data.format.protobuf import DELIMITED, delimited, encoded_varint, fields, sole
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError

# MediaPipe's keys (mediapipe/util/sequence).
_CLIP_IDS = ("clip/media_id", "clip/data_path")
_CLIP_LABELS = b"clip/label/index"
_SLACK = 2  # frames by which the streams of a clip may differ in length: each is sampled independently


class Video(NamedTuple):
    """A parsed record. features: uint8 (n, width) each, in the data set's order, views of it if possible."""

    id: str
    labels: list[int]
    features: list[np.ndarray]


def parse(record: np.ndarray, dataset: Dataset) -> Video:
    """Parse a SequenceExample, or an Example of frame means as a video of one frame.

    record: the payload, uint8 (bytes,), contiguous. Views of it in the result are valid until it is changed.
    A feature `rgb` may also have the key RGB/feature/floats. Frames of floats are quantized as in YouTube-8M.
    Means (float lists `mean_NAME`) become the bytes with the nearest dequantized values, with an error of at
    most half a step, 2/255, within the range of bytes (-1.992 to 2.008), and are clipped to this range.
    Raises DataError, naming the field, for any deviation from the data set's description.
    """
    data = record.data
    try:
        context, lists = sections(data)
        identity = identify(data, context, dataset.id_keys)
        labels = _labels(data, context, dataset)
        features = _features(record, data, context, lists, dataset)
    except IndexError:  # a varint beyond the end of the record
        raise DataError("not a SequenceExample: the record ends within a field") from None
    return Video(identity, labels, features)


def labels_of(record: np.ndarray, dataset: Dataset) -> list[int]:
    """The labels of a record as parse reads them, without its frames. Raises DataError for malformed ones."""
    data = record.data
    try:
        return _labels(data, sections(data)[0], dataset)
    except IndexError:
        raise DataError("not a SequenceExample: the record ends within a field") from None


def sections(data: memoryview) -> tuple[dict[bytes, Span], dict[bytes, Span]]:
    """Spans of the values by key, of the context and of the feature lists of a record."""
    context: dict[bytes, Span] = {}
    lists: dict[bytes, Span] = {}
    for number, wire, start, end in fields(data, 0, len(data)):
        if wire == DELIMITED and number in (1, 2):
            _read_map(data, start, end, context if number == 1 else lists)
    return context, lists


def _read_map(data: memoryview, at: int, end: int, into: dict[bytes, Span]) -> None:
    """Add key -> span of the value for each map entry in data[at:end]; the last of equal keys wins."""
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
    """Key and span of the value of a map entry, in any order and with unknown fields."""
    parts: dict[int, Span] = {}
    for number, wire, first, last in fields(data, start, end):
        if wire == DELIMITED and parts.setdefault(number, (first, last)) != (first, last):
            # Legal (the parts would be merged), but no writer does it.
            raise DataError(f"field {number} of the map entry at byte {start} is repeated")
    first, last = parts.get(1, (end, end))
    return bytes(data[first:last]), parts.get(2, (end, end))


def identify(data: memoryview, context: dict[bytes, Span], keys: Sequence[str]) -> str:
    """The video's id, of the first of `keys` or MediaPipe's keys. Raises DataError if there is none."""
    for key in (*keys, *_CLIP_IDS):
        feature = context.get(key.encode())
        if feature is None:
            continue
        spans = strings(data, feature, key)
        if len(spans) != 1:
            raise DataError(f"{key} must hold one id; got {len(spans)}")
        if spans[0][0] == spans[0][1]:
            raise DataError(f"{key} is empty")
        try:
            return str(data[slice(*spans[0])], "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{key} is not UTF-8: {bytes(data[slice(*spans[0])])!r}") from None
    raise DataError(f"id is missing; looked for {' and '.join((*keys, *_CLIP_IDS))}")


def _labels(data: memoryview, context: dict[bytes, Span], dataset: Dataset) -> list[int]:
    """The label numbers, each checked to be below `classes`; empty if the field is absent or empty.

    Raises DataError also for one 0 or 1 per class, as multi-hot vectors are written, and for several labels
    in a single-label data set.
    """
    classes = dataset.classes
    labels = integers(data, _label_span(context, dataset), "labels")
    if len(labels) == classes > 1 and len(set(labels)) < classes and not set(labels) - {0, 1}:
        raise DataError(
            f"labels is a vector of {classes} zeros and ones; expected the numbers of the classes"
        )
    for label in labels:
        if not 0 <= label < classes:
            raise DataError(f"labels holds {label}; expected 0 to {classes - 1}")
    if dataset.single_label and len(set(labels)) > 1:
        raise DataError(f"labels holds {len(set(labels))} classes; the data set has one for each video")
    return labels


def _label_span(context: dict[bytes, Span], dataset: Dataset) -> Span | None:
    for key in dataset.label_keys:
        if span := context.get(key.encode()):
            return span
    return context.get(b"labels") or context.get(_CLIP_LABELS)


def other_integer_keys(record: np.ndarray, dataset: Dataset) -> list[str]:
    """Keys of the context that hold integers and are not those of labels.

    record: as of `parse`; raises DataError for any other.
    """
    data, known = record.data, {*map(str.encode, dataset.label_keys), b"labels", _CLIP_LABELS}
    try:
        context = sections(data)[0].items()
        found = ((key.decode("utf-8", "replace"), span) for key, span in context if key not in known)
        return [key for key, span in found if (kept := value(data, span, key)) and kept[0] == INTEGERS]
    except IndexError:
        raise DataError("not a SequenceExample: the record ends within a field") from None


def _features(
    record: np.ndarray,
    data: memoryview,
    context: dict[bytes, Span],
    lists: dict[bytes, Span],
    dataset: Dataset,
) -> list[np.ndarray]:
    """uint8 (n, width) for each feature of the data set, with the same n > 0."""
    features: list[np.ndarray] = []
    clips = 0  # features with MediaPipe's key
    for name, width in dataset.features:
        span = lists.get(name.encode())
        if span is None:
            span = lists.get(_clip_frames(name))
            clips += 1
        if span is None:
            return _means(data, context, lists, dataset)
        features.append(read_frames(record, data, span, name, width))
    counts = [len(frames) for frames in features]
    if clips == len(features) and max(counts) - min(counts) <= _SLACK:
        features = [frames[: min(counts)] for frames in features]
    elif max(counts) > min(counts):
        names = [name for name, _ in dataset.features]
        other = next(n for n, count in enumerate(counts) if count != counts[0])
        raise DataError(f"{names[0]} has {counts[0]} frames but {names[other]} {counts[other]}")
    if not len(features[0]):
        raise DataError(f"{dataset.features[0][0]} has no frames")
    return features


def _clip_frames(name: str) -> bytes:
    """MediaPipe's key of a feature's frames."""
    return f"{name.upper()}/feature/floats".encode()


def _means(
    data: memoryview, context: dict[bytes, Span], lists: dict[bytes, Span], dataset: Dataset
) -> list[np.ndarray]:
    """uint8 (1, width) for each feature of a video-level record. Raises DataError for any other record."""
    missing = [name for name, _ in dataset.features if not {name.encode(), _clip_frames(name)} & lists.keys()]
    some_mean = any(f"mean_{name}".encode() in context for name in missing)
    if len(missing) < len(dataset.features) or not some_mean:
        present = ", ".join(sorted(key.decode("utf-8", "replace") for key in lists)) or "no feature lists"
        raise DataError(f"feature {missing[0]} is missing; the record has {present}")
    return [_mean(data, context, f"mean_{name}", width) for name, width in dataset.features]


def _mean(data: memoryview, context: dict[bytes, Span], key: str, width: int) -> np.ndarray:
    """uint8 (1, width): a float list of a video-level record, quantized to the nearest bytes."""
    feature = context.get(key.encode())
    if feature is None:
        raise DataError(f"feature {key} is missing")
    mean = floats(data, feature, key)
    if len(mean) != width:
        raise DataError(f"{key} has {len(mean)} values; expected {width}")
    return requantize(mean)[np.newaxis]


def sequence_example(
    video_id: str, labels: Sequence[int] | None, features: Mapping[str, np.ndarray], *, id_key: str = "id"
) -> bytes:
    """Serialize a frame-level record. features: uint8 (n, width) by name. labels: None omits the field."""
    lists = b"".join(_entry(name, encode_frames(frames)) for name, frames in features.items())
    return delimited(1, _context(video_id, labels, id_key)) + delimited(2, lists)


def example(video_id: str, labels: Sequence[int] | None, means: Mapping[str, np.ndarray]) -> bytes:
    """Serialize a video-level record. means: float32 (width,) by feature name, stored as `mean_NAME`."""
    context = _context(video_id, labels)
    for name, mean in means.items():
        values = delimited(1, mean.astype("<f4").tobytes())
        context += _entry(f"mean_{name}", delimited(FLOATS, values))
    return delimited(1, context)


def _context(video_id: str, labels: Sequence[int] | None, id_key: str = "id") -> bytes:
    context = _entry(id_key, delimited(BYTES, delimited(1, video_id.encode())))
    if labels is not None:
        packed = b"".join(encoded_varint(label % (1 << 64)) for label in labels)
        context += _entry("labels", delimited(INTEGERS, delimited(1, packed)))
    return context


def _entry(key: str, value: bytes) -> bytes:
    return delimited(1, delimited(1, key.encode()) + delimited(2, value))
