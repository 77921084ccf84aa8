"""Records of a group put into the rows of a batch, by this process or by several."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Self

from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.reading.batch_buffer import Slot, shared_file, shared_slots, slot_bytes
from yt8m_kit.data.reading.shard_group import Group
from yt8m_kit.data.reading.shards import Buffer
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, KitError

Faults = dict[int, RecordError]  # by row


def gatherer(dataset: Dataset, check_crc: bool, readers: int) -> "Gatherer":
    """Of one reader, this process; of more, so many processes beside it."""
    return Gatherer(dataset, check_crc) if readers == 1 else Team(dataset, check_crc, readers)


class Gatherer:
    """Fills the rows of a batch; what it holds is given back at the end of the `with` block."""

    def __init__(self, dataset: Dataset, check_crc: bool):
        self.dataset, self.check_crc = dataset, check_crc
        self._buffer = Buffer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def slots(self, count: int, rows: int) -> list[Slot]:
        """What it can fill; to be asked for once."""
        return [Slot(rows, self.dataset) for _ in range(count)]

    def begin(self, slot: Slot, group: Group, records: Sequence[int]) -> None:
        """Tells what will be asked for next, to be put into the slot's rows from 0 on."""

    def fill(self, slot: Slot, first: int, group: Group, records: Sequence[int]) -> list[RecordError]:
        """Puts the records of the group into the slot's rows from `first` on, in their order, without gaps.

        Returns the faults of those that were left out, in order, too. Raises DataError if a shard can no
        longer be read.
        """
        rows = range(first, first + len(records))
        faults = self._put(slot, rows, group, records)
        for row, record in zip(rows, records):
            if row not in faults:
                try:
                    group.soften(record, slot.ids[row], slot.labels[row])
                except RecordError as fault:
                    faults[row] = fault
        if faults:
            for target, source in enumerate((row for row in rows if row not in faults), first):
                if source != target:
                    slot.move(source, target)
        return [faults[row] for row in sorted(faults)]

    def _put(self, slot: Slot, rows: Sequence[int], group: Group, records: Sequence[int]) -> Faults:
        faults = {}
        for row, record in zip(rows, records):
            try:
                slot.put(row, group.load(record, self.dataset, self._buffer, self.check_crc))
            except RecordError as fault:
                faults[row] = fault
        return faults


class Team(Gatherer):
    """Processes that fill every n-th row each (gather_process.py), in memory that they share.

    Not threads: most of the work is done without the interpreter's lock, but it changes hands several times
    a record, and waiting for it takes what a second thread saves.
    """

    def __init__(self, dataset: Dataset, check_crc: bool, readers: int):
        super().__init__(dataset, check_crc)
        self._readers = readers
        self._team: list[subprocess.Popen[bytes]] = []
        self._slots: list[Slot] = []
        self._group: Group | None = None
        self._begun = False

    def __exit__(self, *_: object) -> None:
        for process in self._team:
            process.communicate()

    def slots(self, count: int, rows: int) -> list[Slot]:
        """In a file that the processes have open, too; they are started here.

        One more than asked for: it is filled while all others are left alone.
        """
        count += 1
        file = shared_file(count * slot_bytes(rows, self.dataset))
        try:
            self._slots = shared_slots(file, count, rows, self.dataset)
            job = {"file": file, "count": count, "rows": rows, "check_crc": self.check_crc}
            words = json.dumps(job | {"dataset": asdict(self.dataset)})
            for _ in range(self._readers):
                self._team.append(_start(words, file))
        except OSError as error:
            raise KitError(f"cannot start {self._readers} readers: {error.strerror}.") from error
        finally:
            os.close(file)
        return self._slots

    def begin(self, slot: Slot, group: Group, records: Sequence[int]) -> None:
        """Has the processes begin with what will be asked for next."""
        self._ask(slot, range(len(records)), group, records)
        self._begun = True

    def _ask(self, slot: Slot, rows: Sequence[int], group: Group, records: Sequence[int]) -> None:
        if group is not self._group:
            self._group = group
            for process in self._team:
                _tell(process, {"paths": [str(path) for path in group.paths]})
        number = next(n for n, each in enumerate(self._slots) if each is slot)
        for process, part in self._parts():
            places = [group.places[record] for record in records[part]]
            _tell(process, {"slot": number, "rows": list(rows[part]), "places": places})

    def _parts(self) -> Iterator[tuple["subprocess.Popen[bytes]", slice]]:
        """Each process and which of the rows are its."""
        return ((process, slice(n, None, self._readers)) for n, process in enumerate(self._team))

    def _put(self, slot: Slot, rows: Sequence[int], group: Group, records: Sequence[int]) -> Faults:
        if not self._begun:
            self._ask(slot, rows, group, records)
        self._begun = False
        faults: Faults = {}
        for process, part in self._parts():
            answer = _answer(process)
            reasons = iter(answer["faults"])
            for row, record, identity in zip(rows[part], records[part], answer["ids"]):
                if identity is None:
                    place = group.places[record]
                    faults[row] = RecordError(group.paths[place.shard], place.number, next(reasons))
                else:
                    slot.ids[row] = identity
        return faults


def _start(words: str, file: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "yt8m_kit.data.reading.gather_process", words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[file],
        process_group=0,  # Ctrl-C is for the process that asks
        # Found where this process found it, whatever it was started as.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
    )


def _tell(process: "subprocess.Popen[bytes]", message: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise _ended(process) from None


def _answer(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise _ended(process)
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise DataError(answer["error"])
    return answer


def _ended(process: "subprocess.Popen[bytes]") -> KitError:
    return KitError(
        f"a process that reads records ended with status {process.wait()}; run the command again."
    )
