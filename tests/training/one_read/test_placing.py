"""A GPU for each member, in turn."""

import pytest

from yt8m_kit.machine import device
from yt8m_kit.training.one_read.placing import places


def test_without_a_gpu_all_run_on_the_cpu():
    assert places(3, [], {}) == [{}, {}, {}]


def test_each_member_has_a_gpu_of_its_own():
    assert places(2, ["0", "1", "2"], {}) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]


def test_members_take_turns_and_share_memory():
    """Three members on two GPUs: two on the first one, each with half of the 0.75 that JAX takes."""
    found = places(3, ["4", "GPU-b"], {})
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["4", "GPU-b", "4"]
    assert {float(each["XLA_PYTHON_CLIENT_MEM_FRACTION"]) for each in found} == {0.37}
    assert {each["TF_FORCE_GPU_ALLOW_GROWTH"] for each in found} == {"true"}


def test_the_users_own_limits_stay():
    own = {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.1", "TF_FORCE_GPU_ALLOW_GROWTH": "false"}
    assert places(2, ["0"], own) == [{"CUDA_VISIBLE_DEVICES": "0"}] * 2


@pytest.mark.parametrize(("visible", "expected"), [("", []), ("-1", []), ("2, 5", ["2", "5"])])
def test_gpus_are_those_that_cuda_may_use(visible, expected, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device.gpus() == expected


def test_all_gpus_of_the_driver(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(device, "NODES", tmp_path)
    assert device.gpus() == []
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    assert device.gpus() == ["0", "1"]
