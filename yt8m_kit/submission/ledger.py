"""The record of real submissions, submissions/results.csv: what was handed in, and what it scored."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import KitError
from yt8m_kit.output.files import replacing
from yt8m_kit.output.tables import plain

COLUMNS = {
    "date": "str", "commit": "str", "recipe": "str", "ensemble": "str", "model_bytes": "Int64",
    "bytes": "Int64", "sha256": "str", "local": "float64", "ref": "Int64", "status": "str",
    "public": "float64", "private": "float64",
}  # fmt: skip
"""date: UTC. commit: of the recipes, + if they were changed since. model_bytes: of the exported model.
bytes, sha256: of the CSV. local: its GAP@20 on the local board, where it was scored. ref: Kaggle's number.
status: pending, complete or error."""


def path() -> Path:
    """Where the record is."""
    return recipes.folder() / "results.csv"


def read() -> pd.DataFrame:
    """All rows, oldest first; none where there is no file. Raises KitError for a file that is no record."""
    if not path().exists():
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})
    try:
        rows = pd.read_csv(path(), dtype=COLUMNS, keep_default_na=False, na_values={
            name: [""] for name, kind in COLUMNS.items() if kind != "str"})  # fmt: skip
    except (ValueError, OverflowError) as error:
        raise KitError(f"cannot read {path()}: {str(error).splitlines()[0]}.") from None
    if list(rows.columns) != list(COLUMNS):
        raise KitError(f"{path()}: line 1 must be {','.join(COLUMNS)!r}.")
    return rows


def upsert(row: dict[str, Any]) -> None:
    """Add a row, or put its values over the row of the same ref."""
    with _held():
        rows = read()
        same = rows.index[rows.ref == row["ref"]]
        if len(same):
            rows.loc[same[-1], list(row)] = list(row.values())
        else:
            new = pd.DataFrame([row], columns=list(COLUMNS)).astype(COLUMNS)
            rows = pd.concat([rows, new], ignore_index=True) if len(rows) else new
        with replacing(path()) as temporary:
            rows.to_csv(temporary, index=False)


@contextmanager
def _held() -> Iterator[None]:
    """Two processes change the record one after the other."""
    folder = os.open(recipes.folder(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def history() -> str:
    """The record as a table, oldest first."""
    rows = read()
    if rows.empty:
        return f"no submissions yet; they are recorded in {path()}\n"
    shown = rows.drop(columns=["sha256", "bytes", "model_bytes"]).astype(object)
    return plain(shown.where(shown.notna(), None).to_dict("records"))


def sha256(file: Path) -> str:
    """The hash by which a file is known again."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def commit() -> str:
    """The commit of the recipes, with + where they or the kit were changed since; empty outside of git."""

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "-C", str(recipes.folder()), *words], capture_output=True, text=True, check=False
        )

    try:
        head = git("rev-parse", "--short=12", "HEAD").stdout.strip()
        own = [f":(exclude,top)submissions/{name}" for name in ("results.csv", "README.md")]
        changed = git("diff", "--quiet", "HEAD", "--", ":(top)", *own).returncode
    except OSError:
        return ""
    return head + "+" if head and changed else head
