"""File locks of processes against each other, on file systems that have them.

Lustre without -o flock, NFS without a lock daemon and some FUSE file systems refuse flock(2): files are then
written as if they were locked, after one warning.
"""

import errno
import fcntl
from pathlib import Path

from yt8m_kit.output import progress

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_WARNED: list[Path] = []  # the first folder without locks


def lock(file: int, path: Path, operation: int) -> None:
    """flock(2) on an open file; path: its name, for the warning where its file system has no locks.

    Raises BlockingIOError, with LOCK_NB, if another process holds a lock.
    """
    try:
        fcntl.flock(file, operation)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _warn(path.parent, str(error.strerror))


def _warn(folder: Path, reason: str) -> None:
    """Warn once a process."""
    if not _WARNED:
        _WARNED.append(folder)
        progress.say(
            f"warning: {folder} is on a file system without locks ({reason}): nothing keeps two processes "
            "apart there, so run one command at a time."
        )
