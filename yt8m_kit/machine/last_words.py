"""stderr held back while native code starts; shown if that fails, and also if it aborts the process."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Waits for a line; at the end of its input, which is that of the process, shows what was held back.
WATCH = 'read -r line || { cat "/dev/fd/$1"; echo "yt8m: the process was ended while $2 started." >&2; } >&2'


@contextmanager
def held_stderr(what: str) -> Iterator[None]:
    """Context in which the file descriptor of stderr is held back; what: what starts, for the message."""
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", str(kept.fileno()), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[kept.fileno()],
        )
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            watcher.communicate(b"started\n")
