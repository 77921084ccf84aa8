"""The machine and the versions that the figures are from, in one line.

python -m benchmarks.harness.machine [--write]
"""

import os
import platform
import re
from importlib import metadata
from pathlib import Path

from benchmarks.harness import docs_tables
from yt8m_kit.machine import cpu

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "sve", "bf16")
PACKAGES = ("tensorflow", "keras", "numpy", "jax")


def processor() -> tuple[str, list[str]]:
    """Its name and those of INSTRUCTIONS that it has."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    flags = re.search(r"(?:flags|Features)\s*:\s*(.+)", text)
    known = flags[1].split() if flags else []
    return cpu.model(), [word for word in INSTRUCTIONS if word in known]


def version(package: str) -> str:
    """Name and version, or that it is not installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"


def main() -> None:
    """Prints the line."""
    options = docs_tables.parser(__doc__).parse_args()
    name, instructions = processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(map(version, PACKAGES))
    line = (
        f"{cpu.cores()} cores of {name} ({', '.join(instructions)}), {memory:.0f} GiB, "
        f"{platform.system()}; Python {platform.python_version()}, {versions}."
    )
    docs_tables.show("machine", line, options.write, command=False)


if __name__ == "__main__":
    main()
