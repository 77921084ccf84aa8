"""A process for each member: `yt8m train` of that member alone, subscribed to the common read."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from signal import Signals
from typing import IO

from yt8m_kit.machine.signals import exit_code
from yt8m_kit.output import progress
from yt8m_kit.pipeline.engines.task import Task
from yt8m_kit.training.one_read.display import Display
from yt8m_kit.training.one_read.subscription import VARIABLE

LINE_SECONDS = 1  # between the states that a terminal shows


class MemberProcess:
    """The process of a member's stage. channel: this process's end."""

    def __init__(self, task: Task, place: Mapping[str, str], display: Display, *, strict: bool):
        self.name = task.stage.run.path.name
        self.channel, theirs = socket.socketpair()
        words = [*task.command, *(["--strict"] if strict else [])]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "yt8m_kit.cli", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C reaches it through `signal` alone
                env={**os.environ, **place, **_own(self.name, theirs)},
            )
        assert self._process.stderr is not None
        self._lines = threading.Thread(target=_follow, args=(display, self.name, self._process.stderr))
        self._lines.start()

    def signal(self, number: int) -> None:
        """Send a signal to the process; nothing if it has ended."""
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end of the process and of what it says; return its exit code, as a shell has it."""
        self.channel.close()
        self._lines.join()
        code = self._process.wait()
        if code >= 0:
            return code
        progress.say(f"{self.name}: {Signals(-code).name} ended it; the same command resumes.")
        return exit_code(-code)


def _own(name: str, channel: socket.socket) -> dict[str, str]:
    """Variables of a member's process: its channel, and, on a terminal, short lines that come often."""
    found = {VARIABLE: str(channel.fileno())}
    if sys.stderr.isatty():
        width = max(shutil.get_terminal_size().columns - len(name) - len(": "), 1)
        found[progress.LINES] = f"{LINE_SECONDS},{width}"
    return found


def _follow(display: Display, name: str, lines: IO[bytes]) -> None:
    with lines:
        display.follow(name, lines)
