"""The line of the machine names the processor by the numbers that tell generations of one name apart."""

import platform
import subprocess

import pytest

from benchmarks.harness import machine

X86 = """processor : 0
vendor_id : AuthenticAMD
cpu family : 25
model : 17
model name : AMD EPYC
flags : fpu avx2 avx512f

processor : 1
model : 99
"""
ARM = "processor : 0\nFeatures : fp bf16 sve\nCPU implementer : 0x41\nCPU part : 0xd40\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (X86, "Name (vendor AuthenticAMD, family 25, model 17) (avx2, avx512f)"),
        (ARM, "Name (implementer 0x41, part 0xd40) (sve, bf16)"),
        ("", "Name"),
    ],
    ids=["x86", "ARM", "unknown"],
)
def test_the_first_core_is_named(text, line):
    assert machine.processor(machine.fields_of(text), "Name") == line


def test_a_mac_is_named_by_sysctl(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    answer = subprocess.CompletedProcess([], 0, stdout="Apple M2\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert machine.this_processor() == "Apple M2"
