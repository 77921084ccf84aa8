"""`~` in folders that are given as text: shells expand it at the start of a word only."""

import os
from pathlib import Path

from yt8m_kit.errors import UsageError


def expanded(text: str | Path) -> Path:
    """Return a path with a leading ~ or ~USER replaced; UsageError where there is no such home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{str(text)!r} begins with a home folder that is not known; set HOME, or give the whole path."
        ) from None


def folder_of(variable: str, otherwise: Path) -> Path:
    """Return the folder that an environment variable names, `otherwise` where it is unset or empty."""
    return expanded(os.environ.get(variable) or otherwise)


def is_usable() -> bool:
    """Whether files can be written in the user's home folder."""
    home = os.path.expanduser("~")
    return os.path.isabs(home) and os.access(home, os.W_OK | os.X_OK)
