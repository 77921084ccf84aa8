"""Labels of own videos from a CSV with one video per line, labels by number or name."""

import csv
from collections.abc import Mapping
from pathlib import Path

from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output.checksums import check_checksum

_HEADERS = ("id", "video", "video_id", "videoid", "video_file")


class LabelFile:
    """A CSV of lines `video,labels`, labels separated by semicolons, as for the starter's feature extractor.

    path: a header line is skipped. names: by class number, for labels given by name. classes: their number.
    single_label: a video has one label at most. Raises UsageError if there is no such file; DataError with
    the line number for a malformed line, an unknown label, or one too many.
    """

    def __init__(
        self, path: Path, names: Mapping[int, str], classes: int, *, single_label: bool = False
    ) -> None:
        self._path, self._classes, self._single_label = path, classes, single_label
        self._numbers = {name: number for number, name in names.items()}
        self._lines: dict[str, list[int]] = {}
        self._used: set[str] = set()
        try:
            check_checksum(path)
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError:
            raise UsageError(f"no file {path} with labels; its lines are VIDEO,LABELS.") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: cannot be read: {error}.") from error
        for line, text in enumerate(lines, 1):
            row = self._cells(line, text)
            if row and not (line == 1 and row[0].strip().lower() in _HEADERS):
                self._add(line, row)

    def _cells(self, line: int, text: str) -> list[str]:
        """Split a line; each on its own, so that an unbalanced quote does not swallow the next ones."""
        try:
            return next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise DataError(f"{self._path}: line {line}: {error}; got {text[:60]!r}.") from None

    def _add(self, line: int, row: list[str]) -> None:
        video = row[0].strip()
        if len(row) != 2 or not video:
            raise DataError(f"{self._path}: line {line} must be VIDEO,LABELS; got {','.join(row)[:60]!r}.")
        if video in self._lines:
            raise DataError(f"{self._path}: line {line} repeats {video!r}.")
        texts = [text.strip() for text in row[1].split(";")]
        labels = [self._number(line, text) for text in texts if text]
        if self._single_label and len(set(labels)) > 1:
            raise DataError(f"{self._path}: line {line} must have one label for {video!r}; got {row[1]!r}.")
        self._lines[video] = labels

    def _number(self, line: int, text: str) -> int:
        number = int(text) if text.isdecimal() and len(text) < 10 else self._numbers.get(text)
        if number is None or number >= self._classes:
            known = f"a number below {self._classes}"
            if self._numbers:
                known += ", or a name of the vocabulary"
            raise DataError(f"{self._path}: line {line}: label {text[:60]!r} must be {known}.")
        return number

    def of(self, *names: str) -> list[int]:
        """Labels of the video with one of these names. Raises DataError if there is no line for it."""
        for name in names:
            if name in self._lines:
                self._used.add(name)
                return self._lines[name]
        raise DataError(f"{self._path.name} has no line for {names[0]!r}")

    def unused(self) -> list[str]:
        """Videos that `of` has not been called for."""
        return [name for name in self._lines if name not in self._used]
