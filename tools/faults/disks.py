"""Disks of limited size: a tmpfs of which all but some bytes are taken, or a limit on each file's size."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.faults.attempts import Before

SIZE = 256 << 20  # bytes of the tmpfs
PAGE = os.sysconf("SC_PAGESIZE")  # what a tmpfs gives at a time
PARTS = (0.1, 0.5, 0.9)


class Tmpfs:
    """A file system in memory; needs root. Free space is given in whole pages."""

    what, names = "a tmpfs", ("0", f"{PAGE:,} B", "10 %", "50 %", "90 %", "a page too few")

    def __init__(self, root: Path):
        self.root, self._ballast = root, root / "ballast"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(root)],
            check=True,
            capture_output=True,
        )

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", str(self.root)], check=True)

    def free(self) -> int:
        """Bytes."""
        found = os.statvfs(self.root)
        return found.f_bfree * found.f_frsize

    def measured(self) -> Before:
        """Reports the most bytes that were taken at a time: looks before whatever might give bytes back."""

        def before() -> Callable[[], int]:
            start = least = self.free()

            def hook(event: str, _: tuple[object, ...]) -> None:
                nonlocal least
                if event.startswith(("os.", "shutil.", "open")):
                    least = min(least, self.free())

            sys.addaudithook(hook)
            return lambda: start - min(least, self.free())

        return before

    def levels(self, most: int) -> list[int]:
        """Free bytes for each of `names`; most: what a stage takes."""
        pages = [int(most * part) // PAGE * PAGE for part in PARTS]
        return [0, PAGE, *pages, most - PAGE]

    @contextmanager
    def limited(self, level: int) -> Iterator[Before]:
        """Context manager in which so many bytes are free."""
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free() - level)
        try:
            yield lambda: lambda: 0
        finally:
            self._ballast.unlink()


class FileSizes:
    """RLIMIT_FSIZE, for those who cannot mount: no file of the process grows beyond a size."""

    what, names = "RLIMIT_FSIZE", ("0", "1,000 B", "10 %", "50 %", "90 %", "a byte too few")

    def __init__(self, root: Path):
        self.root = root

    def close(self) -> None:
        """Nothing is to be done."""

    def measured(self) -> Before:
        """Reports the bytes of the largest file that is written and kept."""

        def before() -> Callable[[], int]:
            start = {path: path.stat().st_mtime_ns for path in self.root.rglob("*")}

            def after() -> int:
                files = (path for path in self.root.rglob("*") if path.is_file())
                new = (path.stat() for path in files if start.get(path) != path.stat().st_mtime_ns)
                return max(each.st_size for each in new)

            return after

        return before

    def levels(self, most: int) -> list[int]:
        """Limits for each of `names`; most: the size of the largest file that a stage writes."""
        return [0, 1000, *(int(most * part) for part in PARTS), most - 1]

    @contextmanager
    def limited(self, level: int) -> Iterator[Before]:
        """Context manager that gives what sets the limit."""

        def before() -> Callable[[], int]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (level, level))
            return lambda: 0

        yield before


Disk = Tmpfs | FileSizes


@contextmanager
def disk_at(root: Path) -> Iterator[Disk]:
    """A tmpfs where mounting is possible, else limits on sizes of files."""
    disk: Disk
    try:
        disk = Tmpfs(root)
    except (OSError, subprocess.CalledProcessError):
        disk = FileSizes(root)
    try:
        yield disk
    finally:
        disk.close()
