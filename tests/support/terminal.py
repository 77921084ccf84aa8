"""Commands in a pseudo-terminal of a given width."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(words: list[str], columns: int, **environment: str) -> str:
    """What `yt8m` writes on a terminal, with escape sequences; both of its streams lead there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "yt8m_kit.cli", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    process.wait()
    return text.decode().replace("\r\n", "\n")


def lines_of(text: str) -> list[str]:
    """Lines as they stay on the screen, without escape sequences and trailing spaces."""
    lines = ESCAPES.sub("", text).removesuffix("\n").split("\n")
    return [line.rpartition("\r")[2].rstrip() for line in lines]
