"""Rated segments of 2019: five frames of a video, each with labels that are rated true or false.

Records of 3/frame are those of 2018 with four more lists in the context, all of the same length:
segment_start_times and segment_end_times (s), segment_labels, segment_scores (1 true, 0 false). Pairs of
segment and label without a rating are unknown, not negative.
"""

# S segments of a batch, T frames (padded to max_frames), D bytes of a frame

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np

from yt8m_kit.data.format.examples import identify, sections
from yt8m_kit.data.format.feature import Span, floats, integers
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.stores.path import DataPath

SEGMENT = 5  # frames, one per second; end times are ignored, as in the starter code
_FRAMES = 300  # per video, as in the starter code
_VIDEOS = 16  # per batch of videos that is split into segments

Ratings = dict[tuple[str, int], bool]  # by segment "ID:START" and label


def read_ratings(
    paths: Sequence[DataPath], dataset: Dataset, faults: Faults, *, strict: bool = False
) -> Ratings:
    """Read all ratings of the shards; empty for records without ratings, as in the test split.

    Bad records are skipped and added to `faults`; strict: they raise DataError.
    """
    ratings: Ratings = {}
    buffer = RecordBuffer()
    for path in paths:
        with ShardGroup([path]) as group:
            bad = list(group.faults)
            for record in range(len(group)):
                try:
                    ratings |= group.read(record, lambda payload: _ratings(payload, dataset), buffer, True)
                except RecordError as fault:
                    bad.append(fault)
        for each in bad:
            if strict:
                raise each
            faults.add(each)
    return ratings


def _ratings(record: np.ndarray, dataset: Dataset) -> Ratings:
    """The ratings of one record."""
    data = record.data
    try:
        context, _ = sections(data)
        video = identify(data, context, dataset.id_keys)
        starts = integers(data, context.get(b"segment_start_times"), "segment_start_times")
        labels = integers(data, context.get(b"segment_labels"), "segment_labels")
        scores = _scores(data, context.get(b"segment_scores"))
    except IndexError:
        raise DataError("not a SequenceExample: the record ends within a field") from None
    if not len(starts) == len(labels) == len(scores):
        raise DataError(
            f"segment_start_times has {len(starts)} values, segment_labels {len(labels)}, segment_scores "
            f"{len(scores)}; expected equal numbers"
        )
    for label in labels:
        if not 0 <= label < dataset.classes:
            raise DataError(f"segment_labels holds {label}; expected 0 to {dataset.classes - 1}")
    return {(f"{video}:{start}", label): score > 0 for start, label, score in zip(starts, labels, scores)}


def _scores(data: memoryview, feature: Span | None) -> list[float]:
    scores: list[float] = [] if feature is None else floats(data, feature, "segment_scores").tolist()
    return scores


def segment_batches(
    paths: Sequence[DataPath],
    dataset: Dataset,
    batch_size: int,
    *,
    strict: bool = False,
    faults: Faults | None = None,
) -> Iterator[Batch]:
    """Yield the segments of all videos, in order, as batches of videos of up to five frames.

    ids: "ID:START", START in s. The last segment of a video may be shorter; labels are all zero.
    Raises as read_batches, and UsageError for a data set of fewer than five frames.
    """
    if dataset.max_frames < SEGMENT:
        raise UsageError(
            f"a segment has {SEGMENT} frames; {dataset.name} has max_frames={dataset.max_frames}."
        )
    return _batches(paths, dataset, batch_size, strict, faults)


def _batches(
    paths: Sequence[DataPath], dataset: Dataset, batch_size: int, strict: bool, faults: Faults | None
) -> Iterator[Batch]:
    whole = dataclasses.replace(dataset, max_frames=_FRAMES)
    videos = read_batches(paths, whole, _VIDEOS, strict=strict, faults=faults, reuse=1)
    labels = np.broadcast_to(np.zeros(dataset.classes, np.float32), (batch_size, dataset.classes))
    frames_STD, counts, ids = _room(batch_size, dataset)
    filled = 0
    with closing(videos):  # type: ignore[type-var]
        for video, start, frames, position in _segments(videos):
            frames_STD[filled, : len(frames)] = frames
            counts[filled], ids[filled] = len(frames), f"{video}:{start}"
            filled += 1
            if filled == batch_size:
                yield Batch(frames_STD, counts, labels, ids, position)
                frames_STD, counts, ids = _room(batch_size, dataset)
                filled = 0
        if filled:
            yield Batch(frames_STD[:filled], counts[:filled], labels[:filled], ids[:filled], position)


def _room(batch_size: int, dataset: Dataset) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Frames uint8 (S, T, D) of zeros, which take memory only where a segment is written, counts and ids."""
    frames_STD = np.zeros((batch_size, dataset.max_frames, dataset.width), np.uint8)
    return frames_STD, np.zeros(batch_size, np.int32), [""] * batch_size


def _segments(videos: Iterator[Batch]) -> Iterator[tuple[str, int, np.ndarray, Position]]:
    """Yield video, start, frames uint8 (1 to 5, D) and position of each segment."""
    for batch in videos:
        for video, frames, count in zip(batch.ids, batch.frames, batch.num_frames.tolist()):
            for start in range(0, count, SEGMENT):
                yield video, start, frames[start : min(start + SEGMENT, count)], batch.position
