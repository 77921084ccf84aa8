"""Files that are either whole or not there: written under a temporary name, synced, renamed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write; on success it becomes `path`, on failure `path` stays as it was.

    The temporary name is fixed, so that what a killed process left is overwritten by the next one.
    An OSError (a full disk, no permission) becomes a KitError that names the file.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _explain(path, error)
        raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder: every file in it is synced before the folder takes its name."""
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        if path.exists():
            # A folder cannot be renamed over a full one: the old one steps aside first.
            retired = path.with_name(f".{path.name}.retired")
            shutil.rmtree(retired, ignore_errors=True)
            os.replace(path, retired)
            os.replace(temporary, path)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, path)
        _sync(path.parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _explain(path, error)
        raise


def _explain(path: Path, error: BaseException) -> None:
    """Raise KitError where a write failed; TensorFlow and HDF5 have errors of their own for that."""
    of_library = type(error).__module__.startswith("tensorflow.") or type(error) is RuntimeError
    if isinstance(error, OSError) or of_library:
        why = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        free = shutil.disk_usage(path.parent).free if path.parent.exists() else 0
        raise KitError(
            f"cannot write {path}: {why} ({free:,} bytes are free). What was there before is untouched."
        ) from error


def give_name(source: Path, path: Path) -> None:
    """Give a finished file a second name; a copy where the file system has no hard links."""
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)


def write_shared(path: Path, content: bytes) -> None:
    """Write a small file whole that other processes may be writing at the same time: the last one stays."""
    mine = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mine.write_bytes(content)
        os.replace(mine, path)
    except OSError as error:
        mine.unlink(missing_ok=True)
        raise KitError(f"cannot write {path}: {error.strerror or error}.") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with replacing(path) as temporary:
        temporary.write_text(text)


def write_private_json(path: Path, value: Any) -> None:
    """As write_json, for what only the owner of the file may read: mode 600 from its first byte on."""
    with replacing(path) as temporary:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(value, indent=1) + "\n")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, indented, keys in the order given."""
    write_text(path, json.dumps(value, indent=1) + "\n")
