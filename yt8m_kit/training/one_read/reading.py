"""The process that reads: each batch once, for all members that have subscribed."""

import itertools
import math
import os
import socket
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from selectors import EVENT_READ, BaseSelector, DefaultSelector
from typing import NamedTuple

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.reading.batch_buffer import buffer_bytes
from yt8m_kit.data.reading.gather import Allocate
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.stores.memory_file import memory_file
from yt8m_kit.training.one_read.messages import (
    Ending,
    Header,
    Message,
    Turn,
    Wanted,
    pack,
    send_memory,
    unpack,
)

AHEAD = 4  # batches read ahead of the slowest member's requests


class Reading(NamedTuple):
    """Arguments of read_batches for a read that feeds all members."""

    rows: int
    start: Position
    reuse: int
    allocate: Allocate


Read = Callable[[Reading], Generator[Batch]]


class Subscriber:
    """The reading process's end of a member's channel. asked: batches that the member has asked for."""

    def __init__(self, channel: socket.socket):
        self.channel, self.asked, self.is_here = channel, 0, True

    def wanted(self) -> Wanted | None:
        """Wait for what the member wants; None if it has ended, or needs no batch."""
        try:
            with self.channel.makefile("rb", buffering=0) as lines:
                line = lines.readline()
        except ConnectionError:
            line = b""
        return unpack(line) if line else None

    def listen(self) -> None:
        """Receive requests, or that the member has ended."""
        try:
            received = self.channel.recv(1 << 12)
        except ConnectionError:
            received = b""
        self.asked += len(received)
        self.is_here = bool(received)

    def send(self, message: Message, memory: int | None = None) -> None:
        """Send a message, and the descriptor of the memory after it, unless the member has ended."""
        try:
            self.channel.sendall(pack(message))
            if memory is not None:
                send_memory(self.channel, memory)
        except ConnectionError:
            self.is_here = False


def serve(channels: Mapping[str, socket.socket], dataset: Dataset, read: Read) -> list[str]:
    """Read from the earliest member's position on, until no member wants more; return those that took part.

    channels: by member.
    The slowest member sets the pace. An error of the reader is passed on to the members: each raises it where
    one that reads for itself would.
    """
    found = {name: Subscriber(channel) for name, channel in channels.items()}
    wanted = {name: wants for name, each in found.items() if (wants := each.wanted()) is not None}
    subscribers = [found[name] for name in wanted]
    try:
        if subscribers:
            _read_for(subscribers, wanted, dataset, read)
    except KitError as error:
        for each in subscribers:
            each.send(Ending(str(error), error.exit_code))
    return [*wanted]


def _read_for(
    subscribers: Sequence[Subscriber], wanted: Mapping[str, Wanted], dataset: Dataset, read: Read
) -> None:
    rows = math.gcd(*(wants.rows for wants in wanted.values()))
    start = min(wants.start for wants in wanted.values())
    reuse = max(wants.held for wants in wanted.values()) + AHEAD
    with (
        closing(_Memory(buffer_bytes(rows, dataset))) as memory,
        closing(read(Reading(rows, start, reuse, memory.allocate))) as batches,
    ):
        first = next(batches)
        for each in subscribers:
            each.send(Header(start, rows, memory.count, [*wanted]), memory.file)
        _hand_out(itertools.chain([first], batches), subscribers, memory.count)


class _Memory:
    """The memory of the batches. file: its descriptor. count: of buffers in it."""

    def __init__(self, size: int):
        self._size = size
        self.file, self.count = -1, 0

    def allocate(self, size: int) -> int:
        """Allocate the memory; return a descriptor of it for the reader."""
        self.file, self.count = memory_file(size), size // self._size
        return os.dup(self.file)

    def close(self) -> None:
        """Close the descriptor."""
        if self.count:
            os.close(self.file)


def _hand_out(batches: Iterable[Batch], subscribers: Sequence[Subscriber], count: int) -> None:
    """Hand each batch to all members, when all have asked for one of the last AHEAD before it."""
    with DefaultSelector() as selector:
        for each in subscribers:
            selector.register(each.channel, EVENT_READ, each)
        for number, batch in enumerate(batches):
            shards = [path.name for path in batch.shards]
            for each in subscribers:
                if each.is_here:
                    each.send(Turn(number % count, batch.position, batch.ids, shards))
            if not _is_wanted(selector, subscribers, number + 2 - AHEAD):
                return


def _is_wanted(selector: BaseSelector, subscribers: Sequence[Subscriber], needed: int) -> bool:
    """Wait until all members that are here have asked for so many batches; return whether any is here."""
    while any(each.is_here and each.asked < needed for each in subscribers):
        for key, _ in selector.select():
            key.data.listen()
            if not key.data.is_here:
                selector.unregister(key.fileobj)
    return any(each.is_here for each in subscribers)
