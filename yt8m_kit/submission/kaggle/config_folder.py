"""The folder of settings that Kaggle's client makes when it is imported, wherever the home folder is."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from yt8m_kit.errors import UsageError
from yt8m_kit.machine.home import expanded
from yt8m_kit.output import progress


def prepare_config_folder() -> None:
    """Make the folder; a temporary one, with a warning, where there is no home folder that can be written.

    ~ in KAGGLE_CONFIG_DIR and XDG_CONFIG_HOME is expanded, which the client does not do. Raises UsageError
    if KAGGLE_CONFIG_DIR cannot be made.
    """
    for name in ("KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        if os.environ.get(name):
            os.environ[name] = str(expanded(os.environ[name]))
    given = os.environ.get("KAGGLE_CONFIG_DIR")
    folder = Path(given) if given else _default()
    try:
        if not folder.is_absolute() and not given:
            raise FileNotFoundError(2, "HOME is not set")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if given:
            raise UsageError(f"KAGGLE_CONFIG_DIR: cannot make {folder}: {error.strerror}.") from None
        progress.say(f"warning: cannot make Kaggle's {folder}: {error.strerror}; a temporary one is used")
        os.environ["KAGGLE_CONFIG_DIR"] = _temporary()


def _default() -> Path:
    """The client's own choice (2.2.4)."""
    folder = Path(os.path.expanduser("~"), ".kaggle")
    if folder.exists():
        return folder
    return Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "kaggle")


def _temporary() -> str:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
