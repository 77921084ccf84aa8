"""A CPU without AVX is named before TensorFlow is imported."""

import platform

import pytest

from yt8m_kit.errors import KitError
from yt8m_kit.machine import cpu

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX is of x86 CPUs")


@pytest.fixture
def cpu_with(tmp_path, monkeypatch):
    """A function that gives the machine a CPU with some flags."""

    def have(flags):
        text = f"processor\t: 0\nmodel name\t: Small CPU\nflags\t\t: fpu sse4_2 {flags}\n\n"
        (tmp_path / "cpuinfo").write_text(text * 2)
        monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")

    return have


def test_without_avx_the_cpu_is_named(cpu_with):
    cpu_with("")
    assert cpu.vectors() == ""
    with pytest.raises(KitError, match=r"this CPU \(Small CPU\) has no AVX instructions"):
        cpu.check_avx()


@pytest.mark.parametrize(
    ("flags", "name"), [("avx", "AVX"), ("avx avx2", "AVX2"), ("avx avx2 avx512f avx512bw", "AVX512")]
)
def test_the_widest_vectors_are_named(cpu_with, flags, name):
    cpu_with(flags)
    cpu.check_avx()
    assert cpu.vectors() == name


def test_a_cpu_that_the_system_does_not_describe_is_let_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "missing")
    cpu.check_avx()
    assert cpu.vectors() == ""
