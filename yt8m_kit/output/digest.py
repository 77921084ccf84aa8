"""SHA-256 digests of files and folders, and stamps that show cheaply whether one may be outdated."""

import hashlib
from pathlib import Path

from yt8m_kit.stores.path import DataPath

Stamp = list[int]  # bytes, and modification time in ns


def digest(path: DataPath) -> str:
    """Compute the SHA-256 of a file in hex; of a folder, that of its files' relative paths and digests.

    Raises OSError if a file cannot be read.
    """
    if isinstance(path, Path) and path.is_dir():
        lines = [f"{digest(file)} {file.relative_to(path).as_posix()}\n" for file in files_in(path)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    if not isinstance(path, Path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def stamp(path: Path) -> Stamp:
    """Return bytes and modification time of a file; for a folder, their sum and the latest."""
    found = [file.stat() for file in (files_in(path) if path.is_dir() else [path])]
    return [sum(each.st_size for each in found), max((each.st_mtime_ns for each in found), default=0)]


def files_in(folder: Path) -> list[Path]:
    """List all files of a folder at any depth, sorted."""
    return sorted(file for file in folder.rglob("*") if file.is_file())
