"""One of the processes of gather.Team: it fills rows of batches in memory that they share.

Lines of JSON: shards to open ({"paths"}, no answer), or records to gather ({"slot", "rows", "places"}). Its
answer: {"ids"}, null for a record that is left out, and the reasons, in "faults"; or {"error"} where a shard
can no longer be read. It ends when its input does.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from yt8m_kit.data.format.examples import parse
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.reading.batch_buffer import Slot, shared_slots
from yt8m_kit.data.reading.shards import Buffer, Place, Shards
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError


def main(words: str) -> None:
    """Serves until its input ends."""
    job = json.loads(words)
    dataset = _dataset(**job["dataset"])
    slots = shared_slots(job["file"], job["count"], job["rows"], dataset)
    for answer in answers(map(json.loads, sys.stdin.buffer), slots, dataset, job["check_crc"]):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def answers(
    requests: Iterable[dict[str, Any]], slots: list[Slot], dataset: Dataset, check_crc: bool
) -> Iterable[dict[str, Any]]:
    """One for each request for records."""
    shards, buffer = Shards([]), Buffer()
    for request in requests:
        try:
            if "paths" in request:
                shards.close()
                shards = Shards([Path(path) for path in request["paths"]])
            else:
                places = [Place(*place) for place in request["places"]]
                slot = slots[request["slot"]]
                yield _gathered(shards, slot, request["rows"], places, dataset, buffer, check_crc)
        except DataError as error:
            yield {"error": str(error)}


def _gathered(
    shards: Shards,
    slot: Slot,
    rows: list[int],
    places: list[Place],
    dataset: Dataset,
    buffer: Buffer,
    check_crc: bool,
) -> dict[str, Any]:
    ids: list[str | None] = []
    faults: list[str] = []
    for row, place in zip(rows, places):
        try:
            video = shards.read_at(place, lambda payload: parse(payload, dataset), buffer, check_crc)
            slot.put(row, video)
            ids.append(video.id)
        except RecordError as fault:
            ids.append(None)
            faults.append(fault.reason)
    return {"ids": ids, "faults": faults}


def _dataset(features: list[list[Any]], id_keys: list[str], **others: Any) -> Dataset:
    """From what JSON makes of one."""
    return Dataset(
        features=tuple((name, width) for name, width in features), id_keys=tuple(id_keys), **others
    )


if __name__ == "__main__":
    main(sys.argv[1])
