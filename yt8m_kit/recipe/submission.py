"""The submission format of a challenge, as a function of the recipe."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from yt8m_kit.errors import UsageError
from yt8m_kit.fields import checked

_ENDING = re.compile(r"\.[a-z0-9]+")
_TAKEN = (".csv", ".shards")  # of the kit's own files


@checked
@dataclass(frozen=True)
class Submission:
    """A format of one's own beside the CSV: `yt8m predict RECIPE NAME --format=own` writes submission.ENDING.

    ending: of the file, such as ".json". write: a function (ids, labels, confidences, names) that returns the
    file's content, a text or bytes. ids: list of N videos in file order. labels: int32 (N, k), the most
    confident first, k = min(20, classes). confidences: float32 (N, k), with the six digits of the CSV.
    names: dict of names by class number, from DATA/vocabulary.csv; empty without. Raises UsageError for a
    wrong value.
    """

    ending: str
    write: Callable[..., str | bytes]

    def __post_init__(self) -> None:
        if not _ENDING.fullmatch(self.ending) or self.ending in _TAKEN:
            raise UsageError(
                f"ending must be a dot and small letters or digits, such as '.json', and none of "
                f"{', '.join(_TAKEN)}; got {self.ending!r}."
            )
        if self.file is None:
            raise UsageError("write must be a function of the recipe's file; got one without a source file.")

    @property
    def file(self) -> Path | None:
        """The file that holds the function."""
        code = getattr(self.write, "__code__", None)
        path = Path(code.co_filename) if code else None
        return path if path and path.is_file() else None

    def sources(self) -> dict[str, Any]:
        """What the file depends on: its ending, and the whole file of the function, with what it calls."""
        content = self.file.read_bytes() if self.file else b""
        return {"ending": self.ending, "function": self.write.__name__, "file": sha256(content).hexdigest()}
