"""A mistake of the first hour: the command line that makes it, and what must come of it."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.cli.process.endings import FAULT

ROOT = Path(__file__).resolve().parents[2]
GUARDED = ("tensorflow", "keras", "jax")
GUARD = "raise SystemExit('{name} was imported before the mistake was found')\n"


class Place:
    """A folder to make mistakes in: data/ (synthesized videos), recipes/tiny.py, home/, and yt8m in bin/."""

    def __init__(self, root: Path, data: Path):
        self.root, self.data, self.recipes = root, root / "data", root / "recipes"
        shutil.copytree(data, self.data)  # and the root
        for name in ("home", "recipes", "bin"):
            (root / name).mkdir()
        shutil.copy(ROOT / "tests" / "recipes" / "tiny.py", self.recipes)
        script = root / "bin" / "yt8m"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m yt8m_kit.cli "$@"\n')
        script.chmod(0o755)
        for name in GUARDED:
            (root / "guard" / name).mkdir(parents=True)
            (root / "guard" / name / "__init__.py").write_text(GUARD.format(name=name))

    def edit(self, old: str, new: str) -> None:
        """Replace a part of the recipe tiny."""
        path = self.recipes / "tiny.py"
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{old!r} is not in the recipe")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def environment(self, is_guarded: bool) -> dict[str, str]:
        """Variables of the command line; guarded: importing TensorFlow, Keras or JAX ends it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("YT8M", "KAGGLE"))}
        paths = [str(self.root / "guard")] * is_guarded + [str(ROOT)]
        return kept | {
            "HOME": str(self.root / "home"),
            "PATH": f"{self.root / 'bin'}:{kept['PATH']}",
            "PYTHONPATH": ":".join(paths),
            "YT8M_DATA": "data",
            "YT8M_RECIPES": "recipes",
            "YT8M_RUNS": "runs",
        }


def _nothing(_: Place) -> None:
    """Leave the place as it is."""


class Case(NamedTuple):
    """what: the mistake. line: of a shell. code: its exit code. says: a part of what is printed.

    prepare: changes the place before. at_once: the mistake is found before TensorFlow is imported.
    """

    what: str
    line: str
    code: int
    says: str
    prepare: Callable[[Place], None] = _nothing
    at_once: bool = True


class Outcome(NamedTuple):
    """What came of a case; said: the line that the case asks for, or the last one where there is none."""

    case: Case
    code: int
    said: str
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether the exit code and the message are those of the case."""
        return self.code == self.case.code and self.case.says in self.said


def meet(case: Case, root: Path, data: Path) -> Outcome:
    """Run a case in an empty folder `root`, with a copy of `data`."""
    place = Place(root, data)
    case.prepare(place)
    began = time.perf_counter()
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", case.line], cwd=root, env=place.environment(case.at_once),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    lines = re.split(r"[\r\n]+", done.stdout.replace(str(root), ".").strip())
    traceback = [line for line in lines if line.startswith("Traceback") or FAULT in line]
    found = traceback or [line for line in lines if case.says in line]
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode  # as a shell reports a signal
    return Outcome(case, code, (found or lines[-1:])[0].strip(), seconds)
