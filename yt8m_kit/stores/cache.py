"""Local copies of objects in a folder of limited size, shared by processes.

A copy in use is locked (flock, shared); to make room, those not in use are removed, the least recently used
first. A copy that is being made is NAME.part, locked by its maker; it is resumed after a kill. Names hold the
size of the object, so that room is reserved from the start.
"""

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.stores.path import StorePath
from yt8m_kit.stores.request import pause

_DEFAULT = 100.0  # GB
_RECHECK = 0.2  # seconds between checks of a copy that another process makes
Fill = Callable[[int, int], None]  # writes an object into an open file, of which so many bytes are there


class CopyCache(NamedTuple):
    """Copies of objects in a folder of at most `limit` bytes."""

    folder: Path
    limit: int

    def get(
        self,
        source: StorePath,
        fill: Fill,
        is_intact: Callable[[int], bool],
        cancelled: threading.Event | None,
    ) -> int:
        """The descriptor of a copy; made by `fill` if there is none that passes `is_intact`.

        The copy stays until the descriptor is closed in all processes. Raises KitError where the folder
        cannot be written or has no room, and what `fill` raises.
        """
        path = self.folder / _name(source)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            while True:
                file = _existing(path, is_intact)
                if file is None:
                    file = self._made(path, source, fill, cancelled)
                if file is not None:
                    return file
                pause(_RECHECK, cancelled)
        except OSError as error:
            raise KitError(
                f"cannot write in YT8M_CACHE={self.folder}: {error.strerror or error}. Free space there, or "
                "lower YT8M_CACHE_GB."
            ) from error

    def _made(
        self, path: Path, source: StorePath, fill: Fill, cancelled: threading.Event | None
    ) -> int | None:
        """Make a copy; None if another process makes or has made it."""
        part = path.with_name(f"{path.name}.part")
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not (_lock(file, fcntl.LOCK_EX) and _has_name(file, part)):
                os.close(file)
                return None
            if path.exists():
                part.unlink()
                os.close(file)
                return None
            self._make_room(part, source)
            fill(file, min(os.fstat(file).st_size, source.known().size))
            os.fsync(file)
            os.rename(part, path)
            fcntl.flock(file, fcntl.LOCK_SH)
        except BaseException:
            os.close(file)
            raise
        return file

    def _make_room(self, part: Path, source: StorePath) -> None:
        """Remove copies until all that remain, with the one of `part`, fit into the limit."""
        with self._alone():
            sizes = {path: _size(path) for path in self.folder.iterdir() if _size(path) is not None}
            used = sum(size or 0 for size in sizes.values())
            for path in sorted(sizes.keys() - {part}, key=_last_use):
                if used <= self.limit:
                    return
                if _remove(path):
                    used -= sizes[path] or 0
            if used > self.limit:
                part.unlink()
                raise KitError(
                    f"no room for {source} in YT8M_CACHE={self.folder}: copies in use and this one take "
                    f"{used / 1e9:,.2f} GB, YT8M_CACHE_GB allows {self.limit / 1e9:g}. Raise it: two groups "
                    "of 16 shards are open at a time."
                )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder: one process makes room at a time."""
        with (self.folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def from_environment() -> CopyCache | None:
    """The cache in YT8M_CACHE with YT8M_CACHE_GB; None without it. Raises UsageError for a bad size."""
    folder, size = os.environ.get("YT8M_CACHE"), os.environ.get("YT8M_CACHE_GB", str(_DEFAULT))
    try:
        limit = int(float(size) * 1e9)
    except (ValueError, OverflowError):
        limit = 0
    if limit <= 0:
        raise UsageError(f"YT8M_CACHE_GB must be a number of gigabytes above 0; got {size!r}.")
    if folder and Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"YT8M_CACHE must be a folder; {folder} is a file.")
    return CopyCache(Path(folder), limit) if folder else None


def _name(source: StorePath) -> str:
    """Of a copy: digest of URL and version, size, name of the object."""
    entry = source.known()
    key = hashlib.sha256(f"{source}\n{entry.version}".encode()).hexdigest()[:16]
    return f"{key}-{entry.size}-{source.name}"


def _size(path: Path) -> int | None:
    """Bytes of the object that a file of the folder is a copy of; None for any other file."""
    parts = path.name.split("-", 2)
    return int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else None


def _last_use(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _existing(path: Path, is_intact: Callable[[int], bool]) -> int | None:
    """Open a copy for use; None if there is none. A damaged one is removed."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if _lock(file, fcntl.LOCK_SH) and _has_name(file, path):
        if is_intact(file):
            os.utime(file)
            return file
        path.unlink(missing_ok=True)
    os.close(file)
    return None


def _remove(path: Path) -> bool:
    """Remove a copy, or the rest of an interrupted one, unless it is in use."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        if not _lock(file.fileno(), fcntl.LOCK_EX):
            return False
        path.unlink()
    return True


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _has_name(file: int, path: Path) -> bool:
    """Whether an open file still has this name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False
