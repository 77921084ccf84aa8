"""Atomic file writes: under a temporary name, synced, then renamed."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError
from yt8m_kit.output.locks import lock
from yt8m_kit.stores.path import DataPath, StorePath

# Errors of file systems that cannot sync a folder on request: FUSE, CIFS, folders that cannot be read.
UNSYNCED = (errno.EINVAL, errno.EACCES, errno.EPERM, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP)


def _sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable; the latter where the file system can."""
    try:
        _fsync(path)
    except OSError as error:
        if not (path.is_dir() and error.errno in UNSYNCED):
            raise


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_names(folder: Path) -> None:
    """Make a rename in a folder durable."""
    try:
        _sync(folder)
    except OSError as error:
        raise KitError(
            f"cannot sync {folder}: {error.strerror}. The new file is in place, but may be lost if the "
            "machine stops now."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Context manager with a temporary path to write, renamed to `path` on success; else `path` is unchanged.

    The temporary name is fixed, so that a leftover of a killed process is overwritten by the next one.
    An OSError (disk full, no permission) becomes a KitError that names the file.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _explain(path, error)
        raise
    _sync_names(path.parent)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder: every file in it is synced before the folder is renamed.

    An old folder is moved away for a moment; the next call brings it back if a kill came in between.
    """
    temporary, retired = (path.with_name(f".{path.name}.{state}") for state in ("partial", "retired"))
    if retired.exists() and not path.exists():
        os.replace(retired, path)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        if path.exists():
            # A folder cannot replace a folder that is not empty: the old one is moved away first.
            shutil.rmtree(retired, ignore_errors=True)
            os.replace(path, retired)
            os.replace(temporary, path)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _explain(path, error)
        raise
    _sync_names(path.parent)


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Context manager around a write in place, such as an append; an OSError becomes a KitError.

    It names `path`: an operation on an open file raises an OSError without a name.
    """
    try:
        yield
    except OSError as error:
        raise KitError(f"cannot write {path}: {error.strerror or error}{_free(path)}.") from error


def write_all(file: FileIO, content: bytes) -> None:
    """Write to an unbuffered file, which may take less than is given, until all of it is written."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _explain(path: Path, error: BaseException) -> None:
    """Raise KitError where a write failed; TensorFlow and HDF5 have errors of their own for that."""
    text = str(error).strip()
    of_library = type(error).__module__.startswith("tensorflow.") or "errno = " in text
    if isinstance(error, OSError) or of_library:
        why = getattr(error, "strerror", None) or text.partition("\n")[0] or type(error).__name__
        raise KitError(
            f"cannot write {path}: {why}{_free(path)}. An existing version is unchanged."
        ) from error


def _free(path: Path) -> str:
    """How much room is left, for a message; empty where that cannot be told."""
    try:
        return f" ({shutil.disk_usage(path.parent).free:,} bytes are free)"
    except OSError:
        return ""


def give_name(source: Path, path: Path) -> None:
    """Give a finished file a second name; a copy where the file system has no hard links."""
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)


def write_shared(path: DataPath, content: bytes) -> None:
    """Write a small file atomically while other processes may write it, too: the last one wins."""
    if isinstance(path, StorePath):
        path.write_bytes(content)
        return
    temporary = path.with_name(f".{path.name}.partial")
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _held(temporary) as file:
            try:
                write_all(file, content)
                os.replace(temporary, path)
            except OSError:
                temporary.unlink()
                raise


@contextmanager
def _held(path: Path) -> Iterator[FileIO]:
    """Hold the file of that name, empty, for this process, waiting for others that hold it.

    The one before may have renamed or removed the file that was waited for; then the name is opened again.
    """
    while True:
        with FileIO(path, "a") as file:
            lock(file.fileno(), path, fcntl.LOCK_EX)
            if _is_named(file, path):
                file.truncate(0)
                yield file
                return


def _is_named(file: FileIO, path: Path) -> bool:
    """True where the open file still has that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_private_json(path: Path, value: Any) -> None:
    """As write_json, for a file that only its owner may read: created with mode 600."""
    with replacing(path) as temporary:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(value, indent=1) + "\n")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, indented, keys in insertion order."""
    write_text(path, json.dumps(value, indent=1) + "\n")
