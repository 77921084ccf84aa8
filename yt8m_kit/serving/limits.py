"""Limits of a server."""

from typing import NamedTuple


class Limits(NamedTuple):
    """What a server accepts at most.

    batch: videos of a run of the graph, and of a request. wait: seconds for which a run waits for requests
    that are on their way. queue: requests at a time, from their first byte to their answer. body: bytes of a
    request. timeout: seconds from a request's first byte to its answer.
    """

    batch: int = 32
    wait: float = 0.01
    queue: int = 128
    body: int = 16_000_000
    timeout: float = 30.0
