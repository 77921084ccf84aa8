"""Waiting for the checkpoints of a training in another process."""

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def wait_for_step(
    state: Path, after: int, processes: Sequence["subprocess.Popen[str]"], seconds: float
) -> None:
    """Wait until a checkpoint has step >= after; fails where a process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        try:
            with np.load(state) as archive:
                if json.loads(str(archive["header"]))["step"] >= after:
                    break
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.005)
    assert [process.poll() for process in processes] == [None] * len(processes), "training ended too early"
