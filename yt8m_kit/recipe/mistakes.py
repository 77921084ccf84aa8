"""Mistakes in the Python file of a recipe, as one line with file and line number."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yt8m_kit.errors import UsageError


@contextmanager
def naming_the_line(path: Path) -> Iterator[None]:
    """Turn every exception of the code in `path` into a UsageError such as "mine.py, line 3: ..."."""
    try:
        yield
    except SyntaxError as error:
        in_recipe = error.filename in (None, str(path.absolute()))
        place = _place(path, error.lineno) if in_recipe else _place(path, _line(error, path))
        raise UsageError(f"{place}: {_described(error)}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"{_place(path, _line(error, path))}: {_described(error)}") from error


def _line(error: BaseException, path: Path) -> int | None:
    """Line of the file that was executed when the error was raised; None if it was not executed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path.absolute())]
    return lines[-1] if lines else None


def _place(path: Path, line: int | None) -> str:
    return f"{path}, line {line}" if line else str(path)


def _described(error: BaseException) -> str:
    """Type and message on one line; the kit's own errors without their type."""
    if isinstance(error, UsageError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}: {error.filename}."
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    if isinstance(error, SyntaxError) and error.text:
        said += f": {error.text.strip()}"
    return f"{type(error).__name__}: {' '.join(said.split())[:300]}".rstrip(": .") + "."
