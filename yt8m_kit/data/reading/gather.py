"""Read the records of a shard group into the rows of a batch, in this process or in several."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Self

from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.reading.batch_buffer import BatchBuffer, buffer_bytes, shared_buffers
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer
from yt8m_kit.data.reading.soft_labels import GroupLabels
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.stores.memory_file import memory_file
from yt8m_kit.stores.path import StorePath

FaultsByRow = dict[int, RecordError]
Allocate = Callable[[int], int]  # from a number of bytes to the descriptor of a file of zeros in memory


def row_reader(
    dataset: Dataset, check_crc: bool, readers: int, allocate: Allocate | None = None
) -> "RowReader":
    """A reader in this process for readers=1, a pool of reader processes for more.

    allocate: gives the memory of the batches; None: memory of the reader's own.
    """
    if readers == 1:
        return RowReader(dataset, check_crc, allocate)
    return RowReaderPool(dataset, check_crc, readers, allocate)


class RowReader:
    """Read records into the rows of batch buffers; a context manager that frees its resources at exit."""

    def __init__(self, dataset: Dataset, check_crc: bool, allocate: Allocate | None = None):
        self.dataset, self.check_crc, self._allocate = dataset, check_crc, allocate
        self._record_buffer = RecordBuffer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def buffers(self, count: int, rows: int) -> list[BatchBuffer]:
        """Allocate the batch buffers that this reader fills; called once."""
        if self._allocate is None:
            return [BatchBuffer(rows, self.dataset) for _ in range(count)]
        file = self._allocate(count * buffer_bytes(rows, self.dataset))
        try:
            return shared_buffers(file, count, rows, self.dataset)
        finally:
            os.close(file)

    def request(self, buffer: BatchBuffer, group: ShardGroup, records: Sequence[int]) -> None:
        """Announce the next collect(), which must have first=0 and the same other arguments."""

    def collect(
        self,
        buffer: BatchBuffer,
        first: int,
        group: ShardGroup,
        records: Sequence[int],
        soft_labels: GroupLabels | None = None,
    ) -> list[RecordError]:
        """Read records of the group, in order and without gaps, into the buffer's rows from `first` on.

        soft_labels: the teacher's labels of the group, mixed into those of the records.
        Returns the errors of the records that were skipped, in order. Raises DataError if a shard can no
        longer be read.
        """
        rows = range(first, first + len(records))
        faults = self._read_rows(buffer, rows, group, records)
        buffer.shards[first : rows.stop] = [group.paths[group.locations[each].shard] for each in records]
        if soft_labels is not None:
            good = [(row, record) for row, record in zip(rows, records) if row not in faults]
            faults |= _mix_labels(buffer, group, good, soft_labels)
        if faults:
            for target, source in enumerate((row for row in rows if row not in faults), first):
                if source != target:
                    buffer.move(source, target)
        return [faults[row] for row in sorted(faults)]

    def _read_rows(
        self, buffer: BatchBuffer, rows: Sequence[int], group: ShardGroup, records: Sequence[int]
    ) -> FaultsByRow:
        faults = {}
        for row, record in zip(rows, records):
            try:
                buffer.put(row, group.load(record, self.dataset, self._record_buffer, self.check_crc))
            except RecordError as fault:
                faults[row] = fault
        return faults


def _mix_labels(
    buffer: BatchBuffer, group: ShardGroup, read: Sequence[tuple[int, int]], soft_labels: GroupLabels
) -> FaultsByRow:
    """Mix the teacher's labels into the rows that were read, (row, record) each."""
    faults = {}
    for row, record in read:
        try:
            soft_labels.mix(group.locations[record].shard, buffer.ids[row], buffer.labels[row])
        except DataError as error:
            faults[row] = group.fault(record, str(error))
    return faults


class RowReaderPool(RowReader):
    """Processes (gather_process.py) that each read every n-th row, into shared memory.

    Processes rather than threads: most of the work releases the GIL, but it changes hands several times per
    record, and waiting for it costs as much as a second thread gains.
    """

    def __init__(self, dataset: Dataset, check_crc: bool, readers: int, allocate: Allocate | None = None):
        super().__init__(dataset, check_crc, allocate)
        self._readers = readers
        self._processes: list[subprocess.Popen[bytes]] = []
        self._channels: list[socket.socket] = []  # for descriptors of copies from an object store
        self._buffers: list[BatchBuffer] = []
        self._group: ShardGroup | None = None
        self._requested = False

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.communicate()
        for channel in self._channels:
            channel.close()

    def buffers(self, count: int, rows: int) -> list[BatchBuffer]:
        """Allocate the batch buffers in shared memory and start the processes.

        One more than `count`, so that the processes can fill it while the caller holds all others.
        """
        count += 1
        file = (self._allocate or memory_file)(count * buffer_bytes(rows, self.dataset))
        try:
            self._buffers = shared_buffers(file, count, rows, self.dataset)
            job = {"file": file, "count": count, "rows": rows, "check_crc": self.check_crc}
            argument = json.dumps(job | {"dataset": asdict(self.dataset)})
            for _ in range(self._readers):
                ours, theirs = socket.socketpair()
                self._channels.append(ours)
                with theirs:
                    self._processes.append(_start(argument, file, theirs.fileno()))
        except OSError as error:
            raise KitError(f"cannot start {self._readers} readers: {error.strerror}.") from error
        finally:
            os.close(file)
        return self._buffers

    def request(self, buffer: BatchBuffer, group: ShardGroup, records: Sequence[int]) -> None:
        """Let the processes start on the next collect()."""
        self._send_requests(buffer, range(len(records)), group, records)
        self._requested = True

    def _send_requests(
        self, buffer: BatchBuffer, rows: Sequence[int], group: ShardGroup, records: Sequence[int]
    ) -> None:
        if group is not self._group:
            self._group = group
            for process, channel in zip(self._processes, self._channels):
                _send_shards(process, channel, group)
        number = next(n for n, each in enumerate(self._buffers) if each is buffer)
        for process, part in self._parts():
            locations = [group.locations[record] for record in records[part]]
            _send(process, {"buffer": number, "rows": list(rows[part]), "locations": locations})

    def _parts(self) -> Iterator[tuple["subprocess.Popen[bytes]", slice]]:
        """Each process and its share of the rows."""
        return ((process, slice(n, None, self._readers)) for n, process in enumerate(self._processes))

    def _read_rows(
        self, buffer: BatchBuffer, rows: Sequence[int], group: ShardGroup, records: Sequence[int]
    ) -> FaultsByRow:
        if not self._requested:
            self._send_requests(buffer, rows, group, records)
        self._requested = False
        faults: FaultsByRow = {}
        for process, part in self._parts():
            reply = _receive(process)
            reasons = iter(reply["faults"])
            for row, record, identity in zip(rows[part], records[part], reply["ids"]):
                if identity is None:
                    faults[row] = group.fault(record, next(reasons))
                else:
                    buffer.ids[row] = identity
        return faults


def _start(argument: str, file: int, channel: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "yt8m_kit.data.reading.gather_process", argument, str(channel)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[file, channel],
        process_group=0,  # so that Ctrl-C reaches only the parent
        # The child imports the same package as this process, whatever its working folder.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
    )


def _send_shards(process: "subprocess.Popen[bytes]", channel: socket.socket, group: ShardGroup) -> None:
    """Let a process open the shards of a group, or use this process's copies from an object store."""
    copied = any(isinstance(path, StorePath) for path in group.paths)
    _send(process, {"paths": [str(path) for path in group.paths], "copied": copied})
    try:
        for file in group.files if copied else ():
            socket.send_fds(channel, [b"\0"], [file])
    except ConnectionError:
        raise _ended(process) from None


def _send(process: "subprocess.Popen[bytes]", message: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise _ended(process) from None


def _receive(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise _ended(process)
    reply: dict[str, Any] = json.loads(line)
    if "error" in reply:
        raise DataError(reply["error"])
    return reply


def _ended(process: "subprocess.Popen[bytes]") -> KitError:
    return KitError(f"a reader process ended with status {process.wait()}; run the command again.")
