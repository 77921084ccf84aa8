"""Training curves for TensorBoard, written without it: train and validation as separate runs."""

import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from yt8m_kit.data.format.protobuf import delimited, encoded_varint
from yt8m_kit.data.format.tfrecord import framed

VALIDATION = "validation_"


class Scalars:
    """Event files under FOLDER/train and FOLDER/validate that hold the rows of metrics.jsonl.

    They are written anew from the rows that stand, so that after a resume no step is there twice, and
    then grow row by row. Keys that begin with "validation_" go to the validation run under the rest of
    their name, so that both runs share their tags.
    """

    def __init__(self, folder: Path, rows: Iterable[dict[str, Any]]):
        self._files = {name: _begun(folder / name) for name in ("train", "validate")}
        for row in rows:
            self.add(row)

    def add(self, row: dict[str, Any]) -> None:
        """Append a row {"step": int, name: number, ...}."""
        for name, value in row.items():
            if name != "step":
                run = "validate" if name.startswith(VALIDATION) else "train"
                self._files[run].write(framed(_event(row["step"], name.removeprefix(VALIDATION), value)))
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def _begun(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "events.out.tfevents.yt8m").open("wb")
    # The first event of a file names the format: Event{wall_time = 1, file_version = 3}.
    file.write(framed(_wall_time() + delimited(3, b"brain.Event:2")))
    return file


def _wall_time() -> bytes:
    return b"\x09" + struct.pack("<d", time.time())


def _event(step: int, tag: str, value: float) -> bytes:
    """Event{wall_time = 1, step = 2, summary = 5 {value = 1 {tag = 1, simple_value = 2}}}."""
    scalar = delimited(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    return _wall_time() + b"\x10" + encoded_varint(step) + delimited(5, delimited(1, scalar))
