"""The device that computes, in words, and whether an NVIDIA GPU is left unused."""

import os
import subprocess
from importlib import import_module
from pathlib import Path

from yt8m_kit.machine.cpu import cores, vectors

NODES = Path("/dev")  # has nvidia0, nvidia1, ... where a driver offers GPUs
QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
TITLES = {"tensorflow": "TensorFlow", "jax": "JAX"}


def report() -> list[str]:
    """The device and the versions in a line, and a warning about a GPU that is not used.

    Keras must have been imported: its backend is asked for its GPUs.
    """
    import keras

    framework = keras.backend.backend()
    found = _jax_gpus() if framework == "jax" else _tensorflow_gpus()
    device = _gpu(found) if found else _cpu()
    title = TITLES[framework]
    line = f"device: {device}, {title} {import_module(framework).__version__}, Keras {keras.__version__}"
    return [line, *([] if found else _unused(title))]


def _cpu() -> str:
    parts = [f"{cores()} core{'s' * (cores() != 1)}", vectors()]
    return f"CPU ({', '.join(filter(None, parts))})"


def _gpu(names: list[str]) -> str:
    """The first GPU, the one in use, with its memory; how many there are, if more."""
    memory = dict(_installed()).get(names[0])
    text = f"{names[0]} ({memory / 1024:.0f} GiB)" if memory else names[0]
    return f"GPU {text}" if len(names) == 1 else f"GPU {text}, the first of {len(names)}"


def gpus() -> list[str]:
    """The GPUs that CUDA may use, as CUDA_VISIBLE_DEVICES names them; none without NVIDIA's driver."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [each.strip() for each in visible.split(",") if each.strip() not in ("", "-1")]
    return [str(number) for number in range(len(_driven()))]


def _unused(title: str) -> list[str]:
    """A warning about a GPU of this machine, unless CUDA_VISIBLE_DEVICES hides all of them."""
    names = _driven()
    if not names or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return []
    return [
        f"warning: {names[0]} is not used: {title} finds no CUDA libraries for it. Install them (make "
        "install EXTRA=cuda, or the package's extra [cuda]), or set CUDA_VISIBLE_DEVICES=-1 to use the CPU."
    ]


def _driven() -> list[str]:
    """The driver's GPUs, by their nodes where it does not tell their names."""
    return [name for name, _ in _installed()] or [node.name for node in NODES.glob("nvidia[0-9]*")]


def _installed() -> list[tuple[str, int]]:
    """Names of the driver's GPUs, and their memory in MiB; none where the driver does not tell."""
    try:
        done = subprocess.run(QUERY, capture_output=True, encoding="utf-8", timeout=20, check=True)
        rows = [line.rsplit(",", 1) for line in done.stdout.splitlines() if line.strip()]
        return [(name.strip(), int(memory)) for name, memory in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _tensorflow_gpus() -> list[str]:
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [str(each.get("device_name", "of unknown name")) for each in details]


def _jax_gpus() -> list[str]:
    import jax

    return [device.device_kind for device in jax.devices() if device.platform == "gpu"]
