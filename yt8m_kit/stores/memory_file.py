"""Anonymous files in memory, which processes can share."""

import os
import tempfile


def memory_file(size: int) -> int:
    """The descriptor of an anonymous file of `size` zero bytes, in memory where the system allows it.

    The file is freed with the last process that has it open, however that process ends.
    """
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("yt8m")
    else:
        with tempfile.TemporaryFile() as opened:
            file = os.dup(opened.fileno())
    os.ftruncate(file, size)
    return file
