"""Duration and memory of the quick check of each recipe.

    python -m tools.quick_checks [RECIPE ...] [--runs FOLDER] [--write]

Runs `yt8m check RECIPE --quick` for these recipes, or for all, one after the other, in processes of their
own. Rows of the page for other recipes are kept. Returns 1 if a recipe does not pass.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.harness.docs_tables import TOP, parser, show
from yt8m_kit import recipe as recipes

PAGE = TOP / "docs" / "trials.md"
HEAD = "| recipe | members | ensembles | minutes | CPU minutes | memory GB |\n|---|---|---|---|---|---|\n"
ROW = re.compile(r"\| (\w+) \| \d+ \| .*")


class Outcome(NamedTuple):
    """Exit code of a check, its duration and CPU time in seconds, its peak memory in bytes."""

    code: int
    seconds: float
    cpu: float
    memory: int


def check(name: str, runs: str) -> Outcome:
    """Check a recipe in a process of its own."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "yt8m_kit.cli", "check", name, "--quick", f"--runs={runs}"], stdout=sys.stderr
    )
    _, status, usage = os.wait4(process.pid, 0)
    cpu = usage.ru_utime + usage.ru_stime
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code, time.monotonic() - began, cpu, usage.ru_maxrss * 1024)


def row(name: str, outcome: Outcome) -> str:
    """A row in Markdown."""
    recipe = recipes.load(name)
    counts = f"{len(recipe.members)} | {len(recipe.ensembles)}"
    minutes = f"{outcome.seconds / 60:.1f} | {outcome.cpu / 60:.1f}"
    return f"| {name} | {counts} | {minutes} | {outcome.memory / 1e9:.1f} |"


def known(page: Path) -> dict[str, str]:
    """The rows of the page by recipe."""
    found = (ROW.fullmatch(line) for line in page.read_text(encoding="utf-8").splitlines())
    return {match[1]: match[0] for match in found if match}


def main() -> int:
    """Check the recipes and print the table; 1 if one does not pass."""
    made = parser(__doc__)
    made.add_argument("recipes", nargs="*", metavar="RECIPE")
    made.add_argument("--runs", default="runs")
    options = made.parse_args()
    is_good = True
    for name in options.recipes or recipes.names():
        outcome = check(name, options.runs)
        is_good &= outcome.code == 0
        rows = known(PAGE) | ({name: row(name, outcome)} if outcome.code == 0 else {})
        text = HEAD + "\n".join(rows[each] for each in sorted(rows))
        show("quick_checks", text, options.write, command=False)
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
