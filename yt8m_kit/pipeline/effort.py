"""What a product took, and where it was made: CPU time, bytes read, commit, versions, processor."""

import contextlib
import os
import platform
import resource
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_kit.machine import cpu

ROOT = Path(__file__).resolve().parents[2]  # of the checkout, where the kit runs from one
PACKAGES = ("tensorflow", "keras", "jax", "numpy")


class Effort(NamedTuple):
    """CPU time, user and system, and bytes taken by read calls, from disk or cache; None if unknown."""

    cpu_seconds: float
    bytes_read: int | None

    def since(self, before: "Effort") -> "Effort":
        """Subtract what had been spent at an earlier time."""
        known = None not in (self.bytes_read, before.bytes_read)
        read = (self.bytes_read or 0) - (before.bytes_read or 0) if known else None
        return Effort(round(self.cpu_seconds - before.cpu_seconds, 1), read)


def spent() -> Effort:
    """Measure this process and those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Effort(sum(each.ru_utime + each.ru_stime for each in used), _bytes_read())


def _bytes_read() -> int | None:
    with contextlib.suppress(OSError, KeyError, ValueError):
        lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
        return int(dict(line.split(": ") for line in lines)["rchar"])
    return None


def environment() -> dict[str, Any]:
    """Describe the machine and the software, as JSON values; what is unknown is left out."""
    found = {
        "commit": _commit(),
        "python": platform.python_version(),
        "backend": os.environ.get("KERAS_BACKEND"),
        **{name: _version(name) for name in PACKAGES},
        "system": platform.platform(terse=True),
        "processor": cpu.model(),
        "cores": cpu.cores(),
    }
    return {name: value for name, value in found.items() if value}


def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def _commit() -> str | None:
    """Commit of the checkout, ending in -dirty where files were changed; None outside a checkout."""
    if not (ROOT / ".git").exists():
        return None
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=10, check=True)
        return done.stdout.strip()
    return None
