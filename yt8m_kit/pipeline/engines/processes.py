"""The local engine: each task a process on this machine, several at a time."""

import signal
import subprocess
import sys
import time
from typing import IO

from yt8m_kit.machine import signals
from yt8m_kit.output.files import explaining
from yt8m_kit.pipeline.engines.activity import last_line
from yt8m_kit.pipeline.engines.task import Outcome, Task

POLL = 0.05  # seconds between looks at the processes
PATIENCE = 60  # seconds for an interrupted process to save its state; then it is killed


class Processes:
    """Up to `jobs` processes at a time. With one, its output is shown; with more, it goes to its log."""

    def __init__(self, jobs: int):
        self._jobs, self.shows_output = jobs, jobs == 1
        self._running: list[tuple[Task, subprocess.Popen[bytes]]] = []

    def slots(self, verb: str) -> int:
        """Return how many processes may run at a time; the same for every verb."""
        return self._jobs

    def is_free(self) -> bool:
        """Return whether another process may be started."""
        return len(self._running) < self._jobs

    def start(self, task: Task) -> None:
        """Start a process. Its process group is its own: Ctrl-C reaches it through `stop` alone."""
        words = [sys.executable, "-m", "yt8m_kit.cli", *task.command]
        with explaining(task.log):
            output = None if self.shows_output else _open(task)
            try:
                process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=output, process_group=0)
            finally:
                if output:
                    output.close()
        self._running.append((task, process))

    def finished(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """Wait for a process to end, at most for some seconds; return the tasks that have ended."""
        end = time.monotonic() + seconds
        while not (done := [each for each in self._running if each[1].poll() is not None]):
            if time.monotonic() > end:
                return []
            time.sleep(POLL)
        self._running = [each for each in self._running if each not in done]
        return [(task, self._outcome(task, process.returncode)) for task, process in done]

    def _outcome(self, task: Task, code: int) -> Outcome:
        if code < 0:
            return Outcome(signals.exit_code(-code), f"{signal.Signals(-code).name} ended it")
        return Outcome(code, "" if self.shows_output else last_line(task.log).removeprefix("yt8m: "))

    def stop(self, number: int) -> None:
        """Send a signal to all processes and wait for them; those that do not end are killed."""
        for _, process in self._running:
            process.send_signal(number)
        end = time.monotonic() + PATIENCE
        for _, process in self._running:
            try:
                process.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running = []


def _open(task: Task) -> IO[bytes]:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    return task.log.open("wb")
