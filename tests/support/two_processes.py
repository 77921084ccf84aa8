"""Trainings on two devices: by one process with virtual ones, or by two processes over the loopback."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

from tests.support.recipes import RECIPES

VIRTUAL = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
SECONDS = 1800  # for any of them to end, on a machine that is busy


def environment(**more: str) -> dict[str, str]:
    """Variables of a process on JAX's CPU devices."""
    own = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "YT8M_RECIPES": str(RECIPES)}
    return os.environ | own | more


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def one_process(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a Python command on two virtual devices."""
    command = [sys.executable, *words]
    return subprocess.run(
        command, env=environment(**VIRTUAL), capture_output=True, encoding="utf-8", timeout=SECONDS
    )


def start(*words: Sequence[str], first: int = 0, count: int = 2) -> list["subprocess.Popen[str]"]:
    """Start one process for each list of words: those of a group of `count`, from rank `first` on."""
    address = f"127.0.0.1:{free_port()}"
    group = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": str(count)}
    return [
        subprocess.Popen(
            [sys.executable, *each],
            env=environment(**group, JAX_PROCESS_ID=str(rank)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for rank, each in enumerate(words, first)
    ]


def wait_for_line(process: "subprocess.Popen[str]", text: str) -> None:
    """Read what a process says until a line has the text; fails if it ends before."""
    assert process.stderr is not None
    assert any(text in line for line in process.stderr), f"ended without {text!r}"


def finish(processes: Sequence["subprocess.Popen[str]"]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each process once all have ended."""
    try:
        said = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(processes, said)]
