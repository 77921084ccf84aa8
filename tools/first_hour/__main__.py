"""What is said about each mistake of the first hour, its exit code, and the seconds until it is said.

    python -m tools.first_hour [--only TEXT] [--workers 1] [--write]

Every case is a line of a shell, run by a process of its own in an empty folder with the recipe tiny of the
tests and synthesized videos. Where a mistake must be found before TensorFlow is imported, importing
TensorFlow, Keras or JAX ends the process. Returns 1 if anything differs from what the cases ask for.
"""

import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.harness.docs_tables import parser, show
from tools.first_hour import (
    cluster,
    devices,
    extraction,
    machine,
    places,
    recipes,
    records,
    serving,
    stores,
    trials,
    words,
)
from tools.first_hour.case import Case, Outcome, meet
from yt8m_kit.data.synthesize import synthesize

AREAS = (words, recipes, places, records, stores, machine, trials, cluster, devices, extraction, serving)


def outcomes(only: str, workers: int) -> Iterator[tuple[str, list[Outcome]]]:
    """Yield each area's title and the outcomes of its cases."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        data = Path(folder) / "data"
        synthesize(data, train=60, validate=40, test=40, shards=2)

        def meet_one(case: Case) -> Outcome:
            root = Path(tempfile.mkdtemp(dir=folder))
            outcome = meet(case, root, data)
            print("" if outcome.is_right else "WRONG ", case.what, outcome[1:], file=sys.stderr)
            return outcome

        for area in AREAS:
            chosen = [each for each in area.CASES if only in f"{area.TITLE}: {each.what}"]
            yield area.TITLE, list(pool.map(meet_one, chosen))


def row(outcome: Outcome) -> str:
    """A row in Markdown."""
    cells = [outcome.case.what, f"`{outcome.case.line}`", f"`{outcome.said}`"]
    said = " | ".join(cell.replace("|", "\\|") for cell in cells)
    return f"| {said} | {outcome.code} | {outcome.seconds:.1f} |"


def main() -> int:
    """Run the cases; 1 if one is not right."""
    made = parser(__doc__)
    made.add_argument("--only", default="", help="cases whose title and description contain TEXT")
    made.add_argument("--workers", type=int, default=1)
    options = made.parse_args()
    text, is_right = "", True
    for title, found in outcomes(options.only, options.workers):
        head = "| mistake | command | what is said | exit | seconds |\n|---|---|---|---|---|\n"
        text += f"### {title}\n\n{head}" + "\n".join(map(row, found)) + "\n\n"
        is_right &= all(each.is_right for each in found)
    show("first_hour", text.rstrip(), options.write)
    return int(not is_right)


if __name__ == "__main__":
    sys.exit(main())
