"""What `yt8m status` shows: of the demo's recipe, of a distilled chain half done, and with a stale teacher.

    python -m tools.status_captures [--write]

Every stage that is up to date was run here, on a synthesized set. --write puts the captures, at most 100
columns wide, into docs/getting_started.md.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness.docs_tables import parser, show

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 100
CHAIN = """
from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Ensemble, Member, Recipe

RECIPE = Recipe(
    name="chain",
    description="a student of an ensemble",
    dataset=DEMO,
    members={
        "logistic": Member("frame_logistic", batch_size=64, epochs=2, learning_rate=1e-2),
        "netvlad": Member("netvlad", {"clusters": 8, "hidden": 64, "draws": 8}, batch_size=64, epochs=2),
        "student": Member("frame_logistic", batch_size=64, epochs=2, teacher="both"),
    },
    ensembles={"both": Ensemble(("logistic", "netvlad"))},
)
"""


def yt8m(folder: Path, *words: str) -> str:
    """What a command prints, run in a folder of its own."""
    environment = {**os.environ, "YT8M_RECIPES": str(folder / "recipes"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "yt8m_kit.cli", *words],
        cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    return done.stdout


def captures(folder: Path) -> Iterator[tuple[str, str, str]]:
    """What is shown, the command, and what it prints."""
    (folder / "recipes").mkdir()
    shutil.copy(ROOT / "submissions" / "demo.py", folder / "recipes")
    recipe = folder / "recipes" / "chain.py"
    recipe.write_text(CHAIN)
    places = ("--data=data", "--runs=runs")
    yt8m(folder, "synthesize", "data", "--seed=0")
    yt8m(folder, "run", "demo", "blend", "--to=submit,evaluate", *places)
    yield "The demo, done:", "yt8m status demo blend", yt8m(folder, "status", "demo", "blend", *places)
    yt8m(folder, "run", "chain", "both", "--to=export", *places)
    half = yt8m(folder, "status", "chain", "student", *places)
    yield "A student of an ensemble, half done:", "yt8m status chain student", half
    yt8m(folder, "run", "chain", "student", *places)
    recipe.write_text(CHAIN.replace("learning_rate=1e-2", "learning_rate=2e-2"))
    stale = yt8m(folder, "status", "chain", "student", *places)
    yield "The same, done, after a member of its teacher was changed:", "yt8m status chain student", stale


def page() -> str:
    """The captures as Markdown."""
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for title, command, shown in captures(Path(folder)):
            widest = max(map(len, shown.splitlines()))
            if widest > COLUMNS:
                raise SystemExit(f"{command} is {widest} columns wide")
            text = "\n".join(line.rstrip() for line in shown.splitlines())
            mark = "" if "demo" in command else "<!-- not run: a recipe of tools/status_captures.py -->\n"
            parts.append(f"{title}\n\n{mark}```console\n$ {command}\n{text}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Print the captures, or put them into the page."""
    options = parser(__doc__).parse_args()
    show("status", page(), options.write)


if __name__ == "__main__":
    main()
