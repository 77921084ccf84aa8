"""A process of gather.RowReaderPool: reads records into rows of batches in shared memory.

Reads requests as JSON lines from stdin: {"paths", "copied"}, the shards to open (no reply), or {"buffer",
"rows", "locations"}, the records to read. Where shards are copied from an object store, their descriptors
come over a socket. Replies on stdout with {"ids", "faults"}: an id per record, null where it
was skipped, and the reasons for those; or with {"error"} if a shard can no longer be read. Ends at the end
of its input.
"""

import json
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from yt8m_kit.data.format.examples import Video, parse
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.reading.batch_buffer import BatchBuffer, shared_buffers
from yt8m_kit.data.reading.shards import RecordBuffer, RecordLocation, Shards, open_shards
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError


def main(argument: str, channel: str) -> None:
    """Serve requests until the end of the input. channel: descriptor of the socket."""
    for number in (signal.SIGTERM, signal.SIGUSR1):  # schedulers send them to all processes at once
        signal.signal(number, signal.SIG_IGN)
    job = json.loads(argument)
    dataset = _dataset(**job["dataset"])
    buffers = shared_buffers(job["file"], job["count"], job["rows"], dataset)
    with socket.socket(fileno=int(channel)) as copied:
        for reply in replies(map(json.loads, sys.stdin.buffer), copied, buffers, dataset, job["check_crc"]):
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


def replies(
    requests: Iterable[dict[str, Any]],
    copied: socket.socket,
    buffers: list[BatchBuffer],
    dataset: Dataset,
    check_crc: bool,
) -> Iterable[dict[str, Any]]:
    """Yield one reply per request for records."""
    shards, record_buffer = Shards([], []), RecordBuffer()
    for request in requests:
        try:
            if "paths" in request:
                shards.close()
                paths = [Path(path) for path in request["paths"]]
                shards = Shards(
                    paths, _received(copied, len(paths)) if request["copied"] else open_shards(paths)
                )
            else:
                locations = [RecordLocation(*location) for location in request["locations"]]
                buffer = buffers[request["buffer"]]
                yield _read_rows(
                    shards, buffer, request["rows"], locations, dataset, record_buffer, check_crc
                )
        except DataError as error:
            yield {"error": str(error)}


def _received(copied: socket.socket, count: int) -> list[int]:
    """Receive so many descriptors."""
    return [socket.recv_fds(copied, 1, 1)[1][0] for _ in range(count)]


def _read_rows(
    shards: Shards,
    buffer: BatchBuffer,
    rows: list[int],
    locations: list[RecordLocation],
    dataset: Dataset,
    record_buffer: RecordBuffer,
    check_crc: bool,
) -> dict[str, Any]:
    def decode(payload: np.ndarray) -> Video:
        return parse(payload, dataset)

    ids: list[str | None] = []
    faults: list[str] = []
    for row, location in zip(rows, locations):
        try:
            video = shards.read_at(location, decode, record_buffer, check_crc)
            buffer.put(row, video)
            ids.append(video.id)
        except RecordError as fault:
            ids.append(None)
            faults.append(fault.reason)
    return {"ids": ids, "faults": faults}


def _dataset(features: list[list[Any]], id_keys: list[str], label_keys: list[str], **others: Any) -> Dataset:
    """Restore a Dataset from JSON, which has turned its tuples into lists."""
    pairs = tuple((name, width) for name, width in features)
    return Dataset(features=pairs, id_keys=tuple(id_keys), label_keys=tuple(label_keys), **others)


if __name__ == "__main__":
    main(*sys.argv[1:])
