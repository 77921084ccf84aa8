"""The log file of a fault of the kit: what is needed to report it, without secrets."""

import os
import platform
import re
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from yt8m_kit import __version__

MASK = "***"
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE", re.IGNORECASE)
_SHORTEST = 6  # characters of a secret; less would mask words
# User name and password of a URL; its query; Kaggle's tokens, and keys: 32 or more hexadecimal digits.
_IN_TEXT = (
    (re.compile(r"(?<=://)[^/\s@]+(?=@)"), MASK),
    (re.compile(r"(https?://[^\s?'\"]+\?)[^\s'\"]+"), rf"\1{MASK}"),
    (re.compile(r"\bKGAT_\w+"), MASK),
    (re.compile(r"\b[0-9a-fA-F]{32,}\b"), MASK),
)
_PACKAGES = ("tensorflow", "keras", "numpy", "jax")


def write_fault_log(error: BaseException, words: Sequence[str]) -> Path:
    """Write command, versions and traceback to a new file in the folder for temporary files (mode 600)."""
    text = "".join(
        [
            f"command: yt8m {' '.join(words)}\n",
            f"yt8m_kit {__version__}, Python {platform.python_version()}, {platform.platform()}\n",
            f"packages: {', '.join(map(_version, _PACKAGES))}\n\n",
            *traceback.format_exception(error),
        ]
    )
    descriptor, path = tempfile.mkstemp(prefix="yt8m-fault-", suffix=".log")
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(masked(text, os.environ))
    return Path(path)


def masked(text: str, environment: Mapping[str, str]) -> str:
    """Replace secrets by ***: values of variables that are named as secrets, URLs' parameters, keys."""
    secrets = {
        value for name, value in environment.items() if _SECRET_NAMES.search(name) and len(value) >= _SHORTEST
    }
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"
