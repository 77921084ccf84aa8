"""Memory that this process holds."""

import os
import resource
from contextlib import suppress
from pathlib import Path


def resident() -> int:
    """Bytes in memory now; where the system does not tell (Linux does), the most there ever were."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
