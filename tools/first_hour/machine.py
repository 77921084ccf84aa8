"""What a machine lacks, and how it ends processes."""

import shutil

from tools.first_hour.case import ROOT, Case, Place

TITLE = "The machine"
# Imported by Python when it starts.
OLD_CPU = """
import pathlib
from yt8m_kit.machine import cpu
cpu.CPUINFO = pathlib.Path("cpuinfo")
"""
# A process group of its own gets the signal as a scheduler sends it, once the first checkpoint is there.
SIGNALLED = (
    "set -m; {line} & while [ ! -e runs/tiny/long/checkpoints/state.npz ]; do sleep 0.05; done; "
    "kill -{signal} {target}; wait $!"
)


def old_cpu(place: Place) -> None:
    """A CPU without AVX."""
    (place.root / "cpuinfo").write_text("processor : 0\nmodel name : Pentium N3700\nflags : fpu sse4_2\n")
    (place.root / "old_cpu").mkdir()
    (place.root / "old_cpu" / "sitecustomize.py").write_text(OLD_CPU)


def aborting(place: Place) -> None:
    """A TensorFlow that aborts the process when it is imported."""
    (place.root / "aborting").mkdir()
    words = "compiled to use AVX512F instructions, but these are not available"
    (place.root / "aborting" / "tensorflow.py").write_text(
        f"import os\nos.write(2, b'F0000 cpu_feature_guard.cc {words}\\n')\nos.abort()\n"
    )


def unused_gpu(place: Place) -> None:
    """A driver that has a GPU; the CUDA libraries are missing."""
    script = place.root / "bin" / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 'NVIDIA L4, 23034'\n")
    script.chmod(0o755)


def checkout(place: Place) -> None:
    """A checkout in which nothing is installed yet."""
    for name in ("Makefile", "requirements.txt", "constraints.txt", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, place.root)


def old_python(place: Place) -> None:
    """The same, with a Python that the kit does not support."""
    checkout(place)
    script = place.root / "bin" / "python3"
    script.write_text("#!/bin/sh\necho 3.10.12\n")
    script.chmod(0o755)


def signalled(signal: str, line: str, target: str = "$!") -> str:
    """A line of a shell that sends a signal to a training."""
    return SIGNALLED.format(line=line, signal=signal, target=target)


CASES = (
    Case(
        "a CPU without AVX",
        "PYTHONPATH=old_cpu:$PYTHONPATH yt8m train tiny logistic",
        1,
        "this CPU (Pentium N3700) has no AVX",
        old_cpu,
    ),
    Case(
        "TensorFlow aborts when it is imported",
        "PYTHONPATH=aborting:$PYTHONPATH yt8m train tiny logistic",
        134,
        "compiled to use AVX512F instructions, but these are not available",
        aborting,
        at_once=False,
    ),
    Case("which device trains", "yt8m train tiny logistic", 0, "device: ", at_once=False),
    Case(
        "a GPU without CUDA libraries",
        "yt8m train tiny logistic",
        0,
        "warning: NVIDIA L4 is not used: TensorFlow finds no CUDA libraries",
        unused_gpu,
        at_once=False,
    ),
    Case(
        "SIGTERM in a training",
        signalled("TERM", "yt8m train tiny long"),
        143,
        "stopped by SIGTERM at step",
        at_once=False,
    ),
    Case(
        "SIGUSR1 in a training, as of Slurm's --signal",
        signalled("USR1", "yt8m train tiny long"),
        138,
        "stopped by SIGUSR1 at step",
        at_once=False,
    ),
    Case(
        "SIGTERM to yt8m run alone",
        signalled("TERM", "yt8m run tiny long"),
        143,
        "stopped by SIGTERM at step",
        at_once=False,
    ),
    Case(
        "SIGTERM to yt8m run and its child at once",
        signalled("TERM", "yt8m run tiny long", "-- -$!"),
        143,
        "stopped by SIGTERM at step",
        at_once=False,
    ),
    Case(
        "a disk too small for the checkpoints",
        "mkdir runs && unshare -rm sh -c 'mount -t tmpfs -o size=64k tmpfs runs && yt8m train tiny netvlad'",
        1,
        "has too little space: training to step 30 takes at least",
        at_once=False,
    ),
    Case("make submission without RECIPE=", "make submission", 2, "make submission needs RECIPE=", checkout),
    Case(
        "make with an unknown extra",
        "make install EXTRA=rocm",
        2,
        "EXTRA must be one of cuda docs extract gcs http jax litert",
        checkout,
    ),
    Case(
        "make with Python 3.10",
        "make install",
        2,
        "the kit needs Python 3.11 to 3.13; python3 is 3.10.12",
        old_python,
    ),
    Case(
        "make on a machine that is offline",
        "PIP_INDEX_URL=http://127.0.0.1:9/simple make install",
        2,
        "pip reaches no package index",
        checkout,
    ),
    Case(
        "make after one that was killed while it made .venv",
        "mkdir .venv && touch .venv/unfinished && PIP_INDEX_URL=http://127.0.0.1:9/simple make install; "
        "test ! -e .venv/unfinished && test -x .venv/bin/pip && echo complete",
        0,
        "complete",
        checkout,
    ),
)
