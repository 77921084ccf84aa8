"""What tables look like in terminals of 80 and 120 columns: scores and stages of the demo.

    python -m tools.terminal_captures [--write]

Two members of the demo are trained for it, on a synthesized set. --write puts the captures into
docs/getting_started.md.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness.docs_tables import parser, show
from tests.support.terminal import in_terminal, lines_of

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = (80, 120)
COMMANDS = ("yt8m report demo", "yt8m status demo dbof")


def captures(folder: Path) -> Iterator[tuple[int, str, str]]:
    """Width, command, and what is on the screen."""
    shutil.copytree(ROOT / "submissions", folder / "submissions")
    os.environ["PYTHONPATH"] = str(ROOT)
    os.chdir(folder)
    in_terminal(["synthesize", "data/demo", "--seed=0"], 80)
    in_terminal(["run", "demo", "frame_logistic", "dbof", "--to=export,evaluate", "--data=data/demo"], 80)
    for command in COMMANDS:
        for width in WIDTHS:
            lines = lines_of(in_terminal([*command.split()[1:], "--data=data/demo"], width))
            if max(map(len, lines)) > width:
                raise SystemExit(f"{command} is wider than {width} columns")
            yield width, command, "\n".join(lines)


def page() -> str:
    """The captures as Markdown."""
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for width, command, shown in captures(Path(folder)):
            mark = "<!-- not run: needs a terminal; see tools/terminal_captures.py -->\n"
            parts.append(f"{width} columns:\n\n{mark}```console\n$ {command}\n{shown}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Print the captures, or put them into the page."""
    options = parser(__doc__).parse_args()
    show("terminals", page(), options.write)


if __name__ == "__main__":
    main()
