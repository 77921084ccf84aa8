"""Ledger of Kaggle submissions, submissions/results.csv: files, commits and scores."""

import csv
import fcntl
import hashlib
import math
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import KitError
from yt8m_kit.output.checksums import check_checksum, write_with_checksum
from yt8m_kit.output.facts import Table
from yt8m_kit.output.locks import lock

COLUMNS = {
    "date": "str", "commit": "str", "recipe": "str", "ensemble": "str", "model_bytes": "Int64",
    "bytes": "Int64", "sha256": "str", "local": "float64", "ref": "Int64", "status": "str",
    "public": "float64", "private": "float64",
}  # fmt: skip
"""date: UTC. commit: of the recipes, + if they were changed since. model_bytes: of the exported model.
bytes, sha256: of the CSV. local: its GAP@20 on the local board, if scored there. ref: Kaggle's number of the
submission. status: pending, complete or error. public, private: GAP@20 on Kaggle."""


IMPORTANT = ("date", "recipe", "ensemble", "status", "public", "private", "local")
STATUSES = ("pending", "complete", "error")
REQUIRED = {"date", "recipe", "ensemble", "sha256", "ref", "status"}


def path() -> Path:
    """Path of results.csv."""
    return recipes.folder() / "results.csv"


def read() -> pd.DataFrame:
    """Read all rows, oldest first; none if there is no file.

    Raises KitError for an unreadable file, one that is not as results.csv.sha256 says, or another header,
    and naming line and column for a wrong cell.
    """
    rows = []
    if path().exists():
        check_checksum(path())
        try:
            with path().open(encoding="utf-8-sig", newline="") as file:
                lines = csv.reader(file, strict=True)
                if next(lines, []) != list(COLUMNS):
                    raise KitError(f"{path()}: line 1 must be {','.join(COLUMNS)!r}.")
                rows = [_row(cells, lines.line_num) for cells in lines if cells]
        except (OSError, ValueError, csv.Error) as error:
            raise KitError(f"cannot read {path()}: {error}.") from None
    return _table(rows)


def _row(cells: list[str], line: int) -> dict[str, Any]:
    """The values of a line by column, None for an empty number; KitError for a wrong cell."""
    if len(cells) != len(COLUMNS):
        raise KitError(f"{path()}: line {line} must have {len(COLUMNS)} cells; got {len(cells)}.")
    row = {}
    for name, cell in zip(COLUMNS, cells):
        try:
            row[name] = _value(name, cell)
        except ValueError as error:
            raise KitError(f"{path()}: line {line}, column {name}: {error}; got {cell[:60]!r}.") from None
    return row


def _value(name: str, cell: str) -> Any:
    """The value of a cell; ValueError says what it must be."""
    if not cell:
        if name in REQUIRED:
            raise ValueError("must not be empty")
        return "" if COLUMNS[name] == "str" else None
    if COLUMNS[name] == "Int64":
        if not (cell.isascii() and cell.isdigit() and int(cell) < 2**63):
            raise ValueError("must be a whole number")
        return int(cell)
    if COLUMNS[name] == "float64":
        if not 0 <= _float(cell) <= 1:
            raise ValueError("must be a number between 0 and 1")
        return float(cell)
    if name == "status" and cell not in STATUSES:
        raise ValueError(f"must be one of {', '.join(STATUSES)}")
    if name == "date" and not _is_date(cell):
        raise ValueError("must be a date such as 2018-08-06T12:00:00+00:00")
    return cell


def _float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _is_date(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind)
                         for name, kind in COLUMNS.items()})  # fmt: skip


def upsert(row: dict[str, Any]) -> None:
    """Append a row, or update the row with the same ref."""
    with _locked():
        rows = read()
        same = rows.index[rows.ref == row["ref"]]
        if len(same):
            rows.loc[same[-1], list(row)] = list(row.values())
        else:
            new = _table([row])
            rows = pd.concat([rows, new], ignore_index=True) if len(rows) else new
        write_with_checksum(path(), rows.to_csv(index=False).encode())


@contextmanager
def _locked() -> Iterator[None]:
    """Hold a lock of results.csv against other processes."""
    folder = os.open(recipes.folder(), os.O_RDONLY)
    try:
        lock(folder, path(), fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def history() -> Table:
    """The ledger as a table, oldest first."""
    rows = read().astype(object)
    found = rows.where(rows.notna(), None).to_dict("records")
    return Table(found, first=IMPORTANT, hidden=("sha256", "bytes", "model_bytes"))


def sha256(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def commit() -> str:
    """Commit of the recipes, followed by + if they or the kit changed since; empty outside of git."""

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "-C", str(recipes.folder()), *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    try:
        head = git("rev-parse", "--short=12", "HEAD").stdout.strip()
        own = [f":(exclude,top)submissions/{name}" for name in ("results.csv*", "README.md")]
        changed = git("diff", "--quiet", "HEAD", "--", ":(top)", *own).returncode
    except OSError:
        return ""
    return head + "+" if head and changed else head
