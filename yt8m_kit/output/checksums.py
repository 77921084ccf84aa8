"""SHA-256 files next to plain text files, FILE.sha256 as sha256sum writes them.

For files that other programs and people read and edit, whose format therefore has no room for a digest.
A file without one is read as it is.
"""

import hashlib
from typing import cast

from yt8m_kit.errors import KitError
from yt8m_kit.output.digest import digest
from yt8m_kit.output.files import write_shared
from yt8m_kit.stores.path import DataPath, P


def checksum_file(path: P) -> P:
    """Path of the SHA-256 file of a file."""
    return cast("P", path.with_name(f"{path.name}.sha256"))


def write_with_checksum(path: DataPath, content: bytes) -> None:
    """Write a file and its SHA-256 file, each atomically; in between, both contents are valid."""
    before = _line(path, digest(path)) if path.exists() else ""
    after = _line(path, hashlib.sha256(content).hexdigest())
    write_shared(checksum_file(path), (after + before).encode())
    write_shared(path, content)
    write_shared(checksum_file(path), after.encode())


def check_checksum(path: DataPath) -> None:
    """Raise KitError where a file is not the one that its SHA-256 file was written for."""
    known = checksum_file(path)
    if not known.exists():
        return
    lines = known.read_text(encoding="utf-8", errors="replace").splitlines()
    if digest(path) not in [line.partition(" ")[0] for line in lines]:
        raise KitError(
            f"{path} is damaged or was edited: its SHA-256 is not the one in {known.name}. Restore it, or "
            f"delete {known} to use the file as it is."
        )


def _line(path: DataPath, sha256: str) -> str:
    return f"{sha256}  {path.name}\n"
