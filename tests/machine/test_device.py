"""The device in words; a GPU that is not used costs a warning."""

import re

import keras
import pytest
import tensorflow as tf

from yt8m_kit.machine import device

NVIDIA_SMI = "#!/bin/sh\necho 'NVIDIA A100-SXM4-40GB, 40960'\necho 'NVIDIA T4, 15360'\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A folder of programs, without any; no GPU."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(device, "NODES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def install(machine):
    (machine / "nvidia-smi").write_text(NVIDIA_SMI)
    (machine / "nvidia-smi").chmod(0o755)
    for name in ("sh", "echo"):
        (machine / name).symlink_to(f"/bin/{name}")


def test_a_cpu_is_one_line(machine, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 2)
    monkeypatch.setattr(device, "vectors", lambda: "AVX512")
    versions = f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    assert device.report() == [f"device: CPU (2 cores, AVX512), {versions}"]
    monkeypatch.setattr(device, "cores", lambda: 1)
    monkeypatch.setattr(device, "vectors", lambda: "")
    assert device.report() == [f"device: CPU (1 core), {versions}"]


def test_an_unused_gpu_is_warned_of(machine, monkeypatch):
    install(machine)
    _, warning = device.report()
    assert re.match(
        r"warning: NVIDIA A100-SXM4-40GB is not used: TensorFlow finds no CUDA .*EXTRA=cuda", warning
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert len(device.report()) == 1


def test_an_unused_gpu_is_found_without_nvidia_smi(machine):
    (machine / "nvidiactl").touch()
    assert len(device.report()) == 1
    (machine / "nvidia0").touch()
    assert device.report()[1].startswith("warning: nvidia0 is not used")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["NVIDIA T4"], "device: GPU NVIDIA T4 (15 GiB), "),
        (
            ["NVIDIA A100-SXM4-40GB", "NVIDIA T4"],
            "device: GPU NVIDIA A100-SXM4-40GB (40 GiB), the first of 2, ",
        ),
        (["Other"], "device: GPU Other, "),
    ],
)
def test_a_gpu_is_named_with_its_memory(machine, monkeypatch, names, said):
    install(machine)
    monkeypatch.setattr(device, "_tensorflow_gpus", lambda: names)
    [line] = device.report()
    assert line.startswith(said)
