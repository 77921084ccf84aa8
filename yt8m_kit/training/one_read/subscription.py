"""The batches of a member whose records another process reads: that of `yt8m train` of several members."""

import ctypes
import itertools
import os
import signal
import socket
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.reading.batch_buffer import BatchBuffer, shared_buffers
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.stores.path import DataPath
from yt8m_kit.training.one_read.messages import (
    Ending,
    Header,
    Turn,
    Wanted,
    pack,
    receive_memory,
    unpack,
)

VARIABLE = "YT8M_READ_BY"  # descriptor of the socket, in a member's process
ENDED = "the process that reads the records has ended; the same command resumes at the last checkpoint."
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


class Lines(Protocol):
    """Lines of a channel."""

    def readline(self) -> bytes:
        """Return the next line; empty at the end."""


def subscription() -> "Subscription | None":
    """The subscription that this process was started with; None in a process that reads for itself."""
    file = os.environ.pop(VARIABLE, None)
    if file is None:
        return None
    # Should the reading process be killed, this one stops after the running step.
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    return Subscription(socket.socket(fileno=int(file)))


class Subscription:
    """A member's end of the channel to the process that reads. members: all of the read, once it began."""

    def __init__(self, channel: socket.socket):
        self._channel = channel
        self.members: list[str] = []

    def batches(
        self, start: Position, rows: int, dataset: Dataset, held: int, *, is_changed: bool
    ) -> Generator[Batch]:
        """Yield the batches of `rows` videos from a position on, byte-equal to read_batches.

        held: batches before the one asked for whose arrays must still be there. is_changed: the caller writes
        into the arrays, which then are copies. Raises KitError if the read ends.
        """
        self._send(pack(Wanted(start, rows, held)))
        header, buffers = self._begun(dataset)
        with self._channel.makefile("rb") as lines:
            found = _from(start, header.start, self._turns(lines, buffers))
            yield from joined(found, rows, dataset, held) if is_changed or rows != header.rows else found

    def until_closed(self, batches: Generator[Batch]) -> Generator[Batch]:
        """Yield the same batches; end the subscription with this generator."""
        try:
            # Through a chain, which is not closed: `batches` may wait for a turn until the channel is.
            yield from itertools.chain(batches)
        finally:
            self._leave()
            batches.close()
            self._channel.close()

    def close(self) -> None:
        """End the subscription: the others no longer wait for this member."""
        self._leave()
        self._channel.close()

    def _leave(self) -> None:
        with suppress(OSError):  # closed by the other side, or before
            self._channel.shutdown(socket.SHUT_RDWR)

    def _begun(self, dataset: Dataset) -> tuple[Header, list[BatchBuffer]]:
        """Wait for the beginning of the read."""
        with self._channel.makefile("rb", buffering=0) as lines:  # unbuffered: a descriptor follows
            header: Header = _received(lines)
        file = receive_memory(self._channel)
        if file is None:
            raise KitError(ENDED)
        try:
            buffers = shared_buffers(file, header.buffers, header.rows, dataset)
        finally:
            os.close(file)
        self.members = header.members
        return header, buffers

    def _turns(self, lines: Lines, buffers: list[BatchBuffer]) -> Iterator[Batch]:
        while True:
            self._send(b"\n")
            turn: Turn = _received(lines)
            buffer = buffers[turn.buffer]
            arrays = buffer.frames, buffer.num_frames, buffer.labels
            yield Batch(*arrays, turn.ids, turn.position, [Path(name) for name in turn.shards])

    def _send(self, message: bytes) -> None:
        try:
            self._channel.sendall(message)
        except OSError:
            raise KitError(ENDED) from None


def _received(lines: Lines) -> Any:
    """The next message. Raises KitError for an Ending, or if the other process has ended."""
    line = lines.readline()
    if not line:
        raise KitError(ENDED)
    message = unpack(line)
    if isinstance(message, Ending):
        error = KitError(message.failure)
        error.exit_code = message.code
        raise error
    return message


def _from(start: Position, before: Position, batches: Iterator[Batch]) -> Iterator[Batch]:
    """Leave out the batches up to a position. before: where they begin.

    Raises KitError if no batch ends there.
    """
    for batch in batches:
        if batch.position > start:
            if before != start:
                raise KitError(
                    f"this member resumes at {tuple(start)}, where no batch of the common read ends: train "
                    "it with a command of its own."
                )
            yield batch
            break
        before = batch.position
    yield from batches


def joined(batches: Iterator[Batch], rows: int, dataset: Dataset, held: int) -> Iterator[Batch]:
    """Copy endless batches into batches of `rows` videos, a whole number of theirs.

    A batch's arrays are overwritten when the (held + 1)-th batch after it is requested.
    """
    for buffer in itertools.cycle([BatchBuffer(rows, dataset) for _ in range(held + 1)]):
        ids: list[str] = []
        shards: list[DataPath] = []
        while len(ids) < rows:
            part = next(batches)
            span = slice(len(ids), len(ids) + len(part.ids))
            buffer.frames[span], buffer.num_frames[span], buffer.labels[span] = part[:3]
            ids += part.ids
            shards += part.shards
        yield Batch(buffer.frames, buffer.num_frames, buffer.labels, ids, part.position, shards)
