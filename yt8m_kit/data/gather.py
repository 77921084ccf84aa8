"""Records of a few open shards, gathered straight into the arrays of a batch.

Each record is read by one call into a buffer that is used again, checked while it lies in the processor's
cache, and its frames copied once: from where they lie in the record to where they belong in the batch.
"""

# B videos of a batch, T frames (padded), D bytes of a frame, C classes, N records of a group

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from yt8m_kit.data.examples import Video, parse
from yt8m_kit.data.soft_labels import SoftLabels
from yt8m_kit.data.tfrecord import FOOTER, RecordError, masked_crc, walk
from yt8m_kit.errors import DataError
from yt8m_kit.spec import Dataset

T = TypeVar("T")
SEEKS = 8  # shards whose headers are walked at a time: waiting for several is as long as for one
_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)  # Linux
_ALIGNMENT = 64  # bytes; what XLA and oneDNN ask of memory they are to use in place


class Slot:
    """The arrays of one batch: frames uint8 (B, T, D), num_frames int32 (B,), labels float32 (B, C), ids."""

    def __init__(self, rows: int, dataset: Dataset):
        self._edges = np.cumsum([0, *(width for _, width in dataset.features)]).tolist()
        self.frames = _aligned((rows, dataset.max_frames, dataset.width), np.uint8)
        self.num_frames = _aligned((rows,), np.int32)
        self.labels = _aligned((rows, dataset.classes), np.float32)
        self.ids = [""] * rows

    def put(self, row: int, video: Video) -> None:
        """Writes a video into a row; the frames that do not fit are dropped, those that it lacks are zero."""
        frames_TD = self.frames[row]
        count = min(len(video.features[0]), len(frames_TD))
        for start, end, feature in zip(self._edges, self._edges[1:], video.features):
            frames_TD[:count, start:end] = feature[:count]
        self._finish(row, count, video.id)
        labels_C = self.labels[row]
        labels_C.fill(0)
        for label in video.labels:
            labels_C[label] = 1

    def move(self, source: int, target: int) -> None:
        """Copies a row over another."""
        count = int(self.num_frames[source])
        self.frames[target, :count] = self.frames[source, :count]
        self.labels[target] = self.labels[source]
        self._finish(target, count, self.ids[source])

    def _finish(self, row: int, count: int, identity: str) -> None:
        # What was there before, whoever wrote it: its frames are as many as num_frames says.
        self.frames[row, count : int(self.num_frames[row])] = 0
        self.num_frames[row] = count
        self.ids[row] = identity


def _aligned(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Zeros, the first at an address that is a multiple of 64."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    skip = -memory.ctypes.data % _ALIGNMENT
    return memory[skip : skip + size].view(dtype).reshape(shape)


class Group:
    """Some shards, open, and an index of the records in all of them, N in the order of the paths.

    faults: what is wrong with the framing of these shards; the records that it hides are not in the index.
    Raises DataError if a shard cannot be opened.
    """

    def __init__(self, paths: Sequence[Path], soft_labels: SoftLabels | None = None):
        self.paths = paths
        self._soft_labels = soft_labels
        self._teacher = [soft_labels.of(path) for path in paths] if soft_labels else []
        self.faults: list[RecordError] = []
        self._files: list[int] = []
        try:
            self._files.extend(_open(path) for path in paths)
            with ThreadPoolExecutor(SEEKS) as pool:
                indices = list(pool.map(walk, paths, self._files))
        except BaseException:
            self.close()
            raise
        self.faults = [index.fault for index in indices if index.fault]
        counts = [len(index.offsets) for index in indices]
        self._shard = np.repeat(np.arange(len(paths)), counts).tolist()
        self._number = np.concatenate([np.arange(count) for count in counts]).tolist()
        self._offset = np.concatenate([index.offsets for index in indices]).tolist()
        self._length = np.concatenate([index.lengths for index in indices]).tolist()

    def __len__(self) -> int:
        return len(self._offset)

    def close(self) -> None:
        """Closes the shards."""
        while self._files:
            os.close(self._files.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def expect(self, records: Sequence[int]) -> None:
        """Has the system fetch what will be read soon, all at once, where it does not lie in memory yet."""
        for record in records if hasattr(os, "posix_fadvise") else ():  # not on macOS
            file, start = self._files[self._shard[record]], self._offset[record]
            size = self._length[record] + FOOTER
            if not _in_memory(file, start + size // 2):
                os.posix_fadvise(file, start, size, os.POSIX_FADV_WILLNEED)

    def load(self, record: int, dataset: Dataset, buffer: "Buffer", check_crc: bool) -> Video:
        """Reads and parses a record; the answer is valid until the buffer is used again.

        Raises RecordError for a bad record and DataError if the shard can no longer be read.
        """
        return self.read(record, lambda payload: parse(payload, dataset), buffer, check_crc)

    def read(self, record: int, meaning: Callable[[np.ndarray], T], buffer: "Buffer", check_crc: bool) -> T:
        """What `meaning` makes of a record's payload, uint8 (bytes,), valid until the buffer is used again.

        Raises RecordError for a bad record, also where `meaning` raises DataError, and DataError if the shard
        can no longer be read.
        """
        shard, length = self._shard[record], self._length[record]
        payload = buffer.of(length + FOOTER)
        try:
            size = os.preadv(self._files[shard], [payload.data], self._offset[record])
        except OSError as error:
            raise DataError(f"{self.paths[shard]}: cannot be read: {error.strerror}") from error
        try:
            if size != length + FOOTER:
                raise DataError("truncated since it was opened")
            if check_crc and masked_crc(payload[:length]) != int.from_bytes(
                payload[length:].tobytes(), "little"
            ):
                raise DataError("data CRC mismatch")
            return meaning(payload[:length])
        except DataError as error:
            raise RecordError(self.paths[shard], self._number[record], str(error)) from None

    def soften(self, record: int, video: str, labels_C: np.ndarray) -> None:
        """Mixes the teacher's labels of a record into its row; RecordError where the teacher lacks it."""
        if self._soft_labels:
            shard = self._shard[record]
            try:
                self._teacher[shard].mix(labels_C, video, self._soft_labels.weight)
            except DataError as error:
                raise RecordError(self.paths[shard], self._number[record], str(error)) from None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _in_memory(file: int, offset: int) -> bool:
    """Whether a byte of a file can be had without waiting; to look is cheaper than to have it fetched."""
    try:
        return _NO_WAIT > 0 and os.preadv(file, [bytearray(1)], offset, _NO_WAIT) > 0
    except OSError:  # it cannot, or the file system cannot tell
        return False


class Buffer:
    """Memory for one record, as large as the largest so far."""

    def __init__(self) -> None:
        self._memory = np.empty(1 << 19, np.uint8)  # a record of 300 frames is 351 kB

    def of(self, size: int) -> np.ndarray:
        """uint8 (size,), its contents undefined."""
        if size > len(self._memory):
            self._memory = np.empty(size * 5 // 4, np.uint8)
        return self._memory[:size]


class Gatherer:
    """Fills the rows of a batch, by several threads where asked for; they end with the `with` block."""

    def __init__(self, dataset: Dataset, *, check_crc: bool, threads: int):
        self._dataset, self._check_crc, self._threads = dataset, check_crc, threads
        self._buffers = [Buffer() for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads, "gather") if threads > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown()

    def fill(self, slot: Slot, first: int, group: Group, records: Sequence[int]) -> list[RecordError]:
        """Puts the records of the group into the slot's rows from `first` on, in their order, without gaps.

        Returns the faults of those that were left out, in order, too.
        """
        rows = range(first, first + len(records))
        if self._pool:
            parts = [slice(part, None, self._threads) for part in range(self._threads)]
            work = [
                self._pool.submit(self._part, slot, rows[p], group, records[p], b)
                for p, b in zip(parts, self._buffers)
            ]
            faults = {row: fault for part in work for row, fault in part.result().items()}
        else:
            faults = self._part(slot, rows, group, records, self._buffers[0])
        if faults:
            for target, source in enumerate((row for row in rows if row not in faults), first):
                if source != target:
                    slot.move(source, target)
        return [faults[row] for row in sorted(faults)]

    def _part(
        self, slot: Slot, rows: Sequence[int], group: Group, records: Sequence[int], buffer: Buffer
    ) -> dict[int, RecordError]:
        faults = {}
        for row, record in zip(rows, records):
            try:
                slot.put(row, group.load(record, self._dataset, buffer, self._check_crc))
                group.soften(record, slot.ids[row], slot.labels[row])
            except RecordError as fault:
                faults[row] = fault
        return faults
