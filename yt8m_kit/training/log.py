"""The training log: rows of metrics.jsonl, from which reports and TensorBoard are made."""

import json
import time
import zlib
from io import FileIO
from pathlib import Path
from typing import Any

from yt8m_kit.output import progress
from yt8m_kit.output.files import explaining, write_all, write_text

VALIDATION = "validation_"

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

    Scores on the validation split are named "validation_*".
    written: false for a worker whose rows another one writes.
    """

    def __init__(self, metrics: Path, stage: str, step: int, *, written: bool = True):
        self._metrics, self._stage, self._written = metrics, stage, written
        if not written:
            return
        kept = [row for row in _rows(metrics) if row["stage"] != stage or row["step"] <= step]
        if step and not any((row["stage"], row["step"]) == (stage, step) for row in kept):
            progress.say(f"{metrics} is damaged: it has no row of step {step}.")
        self._crc = ""
        write_text(metrics, "".join(self._line(row) for row in kept))

    def append(self, step: int, figures: dict[str, float]) -> None:
        """Append a row. Raises KitError if it cannot be written."""
        if not self._written:
            return
        line = self._line({"stage": self._stage, "step": step, **figures})
        with explaining(self._metrics), FileIO(self._metrics, "a") as lines:
            write_all(lines, line.encode())

    def _line(self, row: Row) -> str:
        self._crc = _crc(row, self._crc)
        return json.dumps({**row, "crc": self._crc}) + "\n"


class Losses:
    """Losses since the last row of the log. values: as the step returned them."""

    def __init__(self, log: TrainingLog, batch_size: int):
        self._log, self._size = log, batch_size
        self.restart()

    def add(self, loss: Any) -> None:
        self.values.append(loss)

    def restart(self) -> None:
        """Begin a new row."""
        self.values: list[Any] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Leave what came before out of the speed: it was not training."""
        self._since = time.perf_counter()

    def write(self, step: int, loss: float, learning_rate: float) -> None:
        """Write a row: mean loss, learning rate, speed since the last one."""
        speed = len(self.values) * self._size / (time.perf_counter() - self._since)
        figures = {"loss": loss, "learning_rate": learning_rate, "videos_per_second": speed}
        self._log.append(step, figures)
        self.restart()
