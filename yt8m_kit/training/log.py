"""The training log: rows of metrics.jsonl and TensorBoard event files (written without TensorBoard)."""

import json
import struct
import time
import zlib
from io import FileIO
from pathlib import Path
from typing import Any

from yt8m_kit.data.format.protobuf import delimited, encoded_varint
from yt8m_kit.data.format.tfrecord import framed
from yt8m_kit.output import progress
from yt8m_kit.output.files import explaining, write_all, write_text

VALIDATION = "validation_"
EVENTS = "events.out.tfevents.yt8m"


Row = dict[str, Any]


def read_rows(metrics: Path, stage: str) -> list[Row]:
    """Read the rows of one training stage from metrics.jsonl, without the stage's name.

    Each row carries a CRC-32, in hex, of itself chained with the previous row's. Damaged rows, and rows whose
    predecessor is missing, are skipped and counted on stderr; a truncated last line is skipped silently.
    """
    found = [row for row in _rows(metrics) if row["stage"] == stage]
    return [{key: value for key, value in row.items() if key != "stage"} for row in found]


def _rows(metrics: Path) -> list[Row]:
    if not metrics.exists():
        return []
    *lines, last = metrics.read_text(encoding="utf-8", errors="replace").split("\n")
    found: list[Row] = []
    damaged, before = 0, ""
    for line in [*lines, *filter(None, [last])]:
        row = _row(line)
        crc = row.pop("crc", None) if row else ""
        if row and crc in (None, _crc(row, before)):  # logs of older versions have none
            found.append(row)
        elif line is not last:
            damaged += 1
        before = before if crc is None else crc
    if damaged:
        progress.say(f"{metrics} is damaged: {progress.plural(damaged, 'row')} left out.")
    return found


def _row(line: str) -> Row | None:
    """Parse a line of the log; None if it is not a valid row."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_row = isinstance(row, dict) and isinstance(row.get("step"), int) and isinstance(row.get("stage"), str)
    if not is_row or not isinstance(row.get("crc", ""), str):
        return None
    figures = [value for name, value in row.items() if name not in ("stage", "step", "crc")]
    return row if all(isinstance(value, int | float) for value in figures) else None


def _crc(row: Row, before: str) -> str:
    return f"{zlib.crc32(f'{before}{json.dumps(row)}'.encode()):08x}"


class TrainingLog:
    """The log of one training stage, resumed after `step`: later rows, of a killed run, are dropped.

    Event files are in tensorboard/train and tensorboard/validate. They are rewritten from the remaining rows,
    so that no step occurs twice after a resume, and then appended to. Metrics named "validation_*" go to
    the validate folder without that prefix, so that both curves share a tag.
    """

    def __init__(self, metrics: Path, stage: str, tensorboard: Path, step: int):
        self._metrics, self._stage = metrics, stage
        kept = [row for row in _rows(metrics) if row["stage"] != stage or row["step"] <= step]
        if step and not any((row["stage"], row["step"]) == (stage, step) for row in kept):
            progress.say(f"{metrics} is damaged: it has no row of step {step}.")
        self._crc = ""
        write_text(metrics, "".join(self._line(row) for row in kept))
        self._events = {name: _event_file(tensorboard / name / EVENTS) for name in ("train", "validate")}
        for row in read_rows(metrics, stage):
            self._add_events(row)

    def append(self, step: int, figures: dict[str, float]) -> None:
        """Append a row. Raises KitError if it cannot be written."""
        line = self._line({"stage": self._stage, "step": step, **figures})
        with explaining(self._metrics), FileIO(self._metrics, "a") as lines:
            write_all(lines, line.encode())
        self._add_events({"step": step, **figures})

    def _line(self, row: Row) -> str:
        self._crc = _crc(row, self._crc)
        return json.dumps({**row, "crc": self._crc}) + "\n"

    def close(self) -> None:
        """Close the event files."""
        for file in self._events.values():
            file.close()

    def _add_events(self, row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name != "step":
                run = "validate" if name.startswith(VALIDATION) else "train"
                _add(self._events[run], _event(row["step"], name.removeprefix(VALIDATION), value))


def _event_file(path: Path) -> FileIO:
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = FileIO(path, "w")
    # The first event of a file gives the format: Event{wall_time = 1, file_version = 3}.
    _add(file, _wall_time() + delimited(3, b"brain.Event:2"))
    return file


def _add(file: FileIO, event: bytes) -> None:
    """Append an event; TensorBoard follows growing files."""
    with explaining(Path(str(file.name))):
        write_all(file, framed(event))


def _wall_time() -> bytes:
    return b"\x09" + struct.pack("<d", time.time())


def _event(step: int, tag: str, value: float) -> bytes:
    """Event{wall_time = 1, step = 2, summary = 5 {value = 1 {tag = 1, simple_value = 2}}}."""
    scalar = delimited(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    return _wall_time() + b"\x10" + encoded_varint(step) + delimited(5, delimited(1, scalar))
