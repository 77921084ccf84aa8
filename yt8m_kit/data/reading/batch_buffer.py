"""The arrays of one batch, filled row by row, in private memory or in a file that processes share."""

# B videos of a batch, T frames (padded), D bytes of a frame, C classes

import math
import mmap
from pathlib import Path

import numpy as np

from yt8m_kit.data.format.examples import Video
from yt8m_kit.dataset import Dataset
from yt8m_kit.stores.path import DataPath

_ALIGNMENT = 64  # bytes; XLA and oneDNN need it to use memory in place


class BatchBuffer:
    """The arrays of one batch: frames uint8 (B, T, D), num_frames int32 (B,), labels float32 (B, C).

    ids, shards: of each row, the video and the shard that it was read from.
    """

    def __init__(self, rows: int, dataset: Dataset, memory: np.ndarray | None = None):
        """memory: uint8 (buffer_bytes,) of zeros, aligned to 64 bytes; None: allocate it."""
        self._dataset = dataset
        self._edges = np.cumsum([0, *(width for _, width in dataset.features)]).tolist()
        if memory is None:
            memory = _aligned_zeros(buffer_bytes(rows, dataset))
        arrays = []
        for shape, dtype in _layout(rows, dataset):
            size = math.prod(shape) * dtype.itemsize
            arrays.append(memory[:size].view(dtype).reshape(shape))
            memory = memory[_padded(size) :]
        self.frames, self.num_frames, self.labels = arrays
        self.ids = [""] * rows
        self.shards: list[DataPath] = [Path()] * rows

    def put(self, row: int, video: Video) -> None:
        """Write a video into a row: frames beyond T are dropped, missing ones are zero."""
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
        """Copy a row over another."""
        count = int(self.num_frames[source])
        self.frames[target, :count] = self.frames[source, :count]
        self.labels[target] = self.labels[source]
        self.shards[target] = self.shards[source]
        self._finish(target, count, self.ids[source])

    def copy(self, rows: int) -> "BatchBuffer":
        """Copy the first rows into a new buffer with private memory."""
        copy = BatchBuffer(rows, self._dataset)
        copy.frames[:], copy.num_frames[:], copy.labels[:] = (
            array[:rows] for array in (self.frames, self.num_frames, self.labels)
        )
        copy.ids, copy.shards = self.ids[:rows], self.shards[:rows]
        return copy

    def _finish(self, row: int, count: int, identity: str) -> None:
        # Clears the frames of the row's previous video, whichever process wrote it: num_frames counts them.
        self.frames[row, count : int(self.num_frames[row])] = 0
        self.num_frames[row] = count
        self.ids[row] = identity


def _layout(rows: int, dataset: Dataset) -> list[tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of frames, num_frames and labels, in memory order."""
    return [
        ((rows, dataset.max_frames, dataset.width), np.dtype(np.uint8)),
        ((rows,), np.dtype(np.int32)),
        ((rows, dataset.classes), np.dtype(np.float32)),
    ]


def buffer_bytes(rows: int, dataset: Dataset) -> int:
    """Size of a batch buffer in bytes, a multiple of 64."""
    return sum(_padded(math.prod(shape) * dtype.itemsize) for shape, dtype in _layout(rows, dataset))


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _aligned_zeros(size: int) -> np.ndarray:
    """uint8 (size,) of zeros, aligned to 64 bytes."""
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    skip = -memory.ctypes.data % _ALIGNMENT
    return memory[skip : skip + size]


def shared_buffers(file: int, count: int, rows: int, dataset: Dataset) -> list[BatchBuffer]:
    """Map the batch buffers of a shared file; processes share the arrays, but not the ids."""
    memory = np.frombuffer(mmap.mmap(file, 0), np.uint8)
    return [BatchBuffer(rows, dataset, part) for part in memory.reshape(count, buffer_bytes(rows, dataset))]
