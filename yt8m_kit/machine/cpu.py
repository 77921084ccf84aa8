"""The CPU: its cores, and the instructions that TensorFlow and JAX are compiled for."""

import os
import platform
from pathlib import Path

from yt8m_kit.errors import KitError

CPUINFO = Path("/proc/cpuinfo")
VECTORS = (("avx512f", "AVX512"), ("avx2", "AVX2"), ("avx", "AVX"))  # flags of Linux, widest first


def cores() -> int:
    """Number of cores that this process may use; of the machine, where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model() -> str:
    """Name of the processor, or of its architecture."""
    return _field("model name") or platform.processor() or platform.machine()


def vectors() -> str:
    """The widest vector instructions of an x86 CPU; empty for none, and for other CPUs."""
    flags = _field("flags").split()
    return next((name for flag, name in VECTORS if flag in flags), "")


def check_avx() -> None:
    """Raise KitError for an x86 CPU without AVX: importing TensorFlow or JAX would abort the process."""
    if platform.machine() in ("x86_64", "AMD64") and _field("flags") and not vectors():
        raise KitError(
            f"this CPU ({model()}) has no AVX instructions, which TensorFlow and "
            "JAX need; use another machine."
        )


def _field(name: str) -> str:
    """A field of the first core; empty where the system does not tell."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
