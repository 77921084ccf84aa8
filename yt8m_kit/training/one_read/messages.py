"""What the process that reads and a member's process tell each other, over a socket.

The member's process begins with its Wanted, as a line of JSON, and sends a byte for each batch that it asks
for. The other side answers with a Header and the descriptor of the memory of all batches, and then sends a
Turn for each batch; an Ending in place of these says why there are no more.
"""

import json
import socket
from typing import Any, NamedTuple

from yt8m_kit.data.loader.order import Position


class Wanted(NamedTuple):
    """What a member takes from the read. start: its position. rows: of its batches.

    held: batches before the one that it asks for whose arrays it still uses.
    """

    start: Position
    rows: int
    held: int


class Header(NamedTuple):
    """The read. start: before its first batch. rows: of each batch. buffers: their number in the memory.

    members: that take part.
    """

    start: Position
    rows: int
    buffers: int
    members: list[str]


class Turn(NamedTuple):
    """A batch: the number of its buffer, and what is not in the arrays. shards: names, of each video."""

    buffer: int
    position: Position
    ids: list[str]
    shards: list[str]


class Ending(NamedTuple):
    """Why the read has ended: the sentence, and the exit code that goes with it."""

    failure: str
    code: int


KINDS = {kind.__name__: kind for kind in (Wanted, Header, Turn, Ending)}
Message = Wanted | Header | Turn | Ending


def pack(message: Message) -> bytes:
    """Return a message as a line of JSON."""
    return json.dumps([type(message).__name__, *message]).encode() + b"\n"


def unpack(line: bytes) -> Any:
    """Return the message of a line."""
    name, *values = json.loads(line)
    message: Any = KINDS[name](*values)
    if not isinstance(message, Ending):
        field = "position" if isinstance(message, Turn) else "start"
        message = message._replace(**{field: Position(*getattr(message, field))})
    return message


def send_memory(channel: socket.socket, file: int) -> None:
    """Send the descriptor of the memory."""
    socket.send_fds(channel, [b"\0"], [file])


def receive_memory(channel: socket.socket) -> int | None:
    """Receive a descriptor; None if the other side has ended."""
    _, files, *_ = socket.recv_fds(channel, 1, 1)
    return files[0] if files else None
