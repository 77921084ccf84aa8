"""The machine and the versions that the figures are from, in one line.

python -m benchmarks.harness.machine [--write]
"""

import os
import platform
import subprocess
from importlib import metadata

from benchmarks.harness import docs_tables
from yt8m_kit.machine import cpu

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "sve", "bf16")
NUMBERS = {  # fields of /proc/cpuinfo, of x86 and of ARM
    "vendor_id": "vendor",
    "cpu family": "family",
    "model": "model",
    "CPU implementer": "implementer",
    "CPU part": "part",
}
PACKAGES = ("tensorflow", "keras", "numpy", "jax")


def fields_of(cpuinfo: str) -> dict[str, str]:
    """The fields of the first core in the text of /proc/cpuinfo."""
    pairs = (line.partition(":") for line in cpuinfo.strip().partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def processor(fields: dict[str, str], name: str) -> str:
    """Name, vendor, family and model by number, as far as known, and those of INSTRUCTIONS that it has."""
    numbers = ", ".join(f"{word} {fields[key]}" for key, word in NUMBERS.items() if key in fields)
    known = fields.get("flags", fields.get("Features", "")).split()
    groups = numbers, ", ".join(word for word in INSTRUCTIONS if word in known)
    return " ".join([name, *(f"({group})" for group in groups if group)])


def this_processor() -> str:
    """The processor of this machine; of a Mac the name that sysctl knows."""
    if platform.system() == "Darwin":
        words = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return processor({}, subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
    text = cpu.CPUINFO.read_text(encoding="utf-8") if cpu.CPUINFO.exists() else ""
    return processor(fields_of(text), cpu.model())


def version(package: str) -> str:
    """Name and version, or that it is not installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"


def main() -> None:
    """Prints the line."""
    options = docs_tables.parser(__doc__).parse_args()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(map(version, PACKAGES))
    line = (
        f"{cpu.cores()} cores of {this_processor()}, {memory:.0f} GiB, "
        f"{platform.system()}; Python {platform.python_version()}, {versions}."
    )
    docs_tables.show("machine", line, options.write, command=False)


if __name__ == "__main__":
    main()
