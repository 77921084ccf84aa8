"""What `make demo` and `make videos-demo` made in this checkout, for tests that would make the same again."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ("data/demo", "runs/demo")
VIDEOS = ("data/drawn", "data/videos", "runs/videos")


def copied(paths: Iterable[str], folder: Path) -> bool:
    """Copy them into a folder where YT8M_TEST_DEMOS=made says that they are up to date; whether it does."""
    is_made = os.environ.get("YT8M_TEST_DEMOS") == "made"
    for path in paths if is_made else ():
        shutil.copytree(ROOT / path, folder / path)
    return is_made
