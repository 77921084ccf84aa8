"""Free disk space compared with what is about to be written."""

import shutil
from pathlib import Path

from yt8m_kit.errors import KitError


def free_bytes(folder: Path) -> int:
    """Bytes that the user may write on the disk of a folder, which may not exist yet."""
    return shutil.disk_usage(
        next(path for path in (folder, *folder.absolute().parents) if path.exists())
    ).free


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise KitError if `what` takes at least `needed` bytes more, and the folder's disk has fewer."""
    free = free_bytes(folder)
    if needed > free:
        raise KitError(
            f"{folder} has too little space: {what} takes at least {needed:,} bytes, {free:,} are free. "
            "Make room, or take another disk with --runs."
        )
