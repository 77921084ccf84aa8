"""Run the commands of the README and of docs/ in order, as a user would type them, in a fresh clone.

    python -m tools.docs_commands --records FOLDER [--only PAGE,...] [--write]

FOLDER holds audioset/ with real records, whose validate split is test as well. The commands in each page's
fenced blocks run from top to bottom, in one shell, with an empty home folder. Marks before a block:

    <!-- folder: NAME -->       the page's commands run in an empty folder of that name, not in the clone
    <!-- file: NAME -->         the block is the content of a file
    <!-- not run: REASON -->    only the syntax is checked (tests/tools/test_docs_commands.py)

A command may be followed, two blanks or more to its right, by what it does. [Optional] parts are left out.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.harness.docs_tables import parser, show
from yt8m_kit.output.tables import Row, markdown

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))
PROGRAMS = ("yt8m", "make", "git", "python", "export", "cp", "cd", ".venv/bin/pip")
BLOCK = re.compile(r"((?:^<!-- [^>]* -->\n)*)^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- (folder|file|not run): (.*?) -->")
MOST_SECONDS = 3600


class Block(NamedTuple):
    """A fenced block: its number of line in the page, its text and its marks."""

    line: int
    text: str
    marks: dict[str, str]

    @property
    def commands(self) -> list[str]:
        """The commands of a block; empty where it holds something else."""
        lines = self.text.splitlines()
        if any(line.startswith("$ ") for line in lines):
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        elif "file" in self.marks or not all(line.split(" ")[0] in PROGRAMS for line in lines):
            return []
        found = (re.split(r"(?<![;\s])\s{2,}", line)[0] for line in lines)  # without what it does
        return [re.sub(r" ?\[.*?\]", "", part) for line in found for part in re.split(r";\s+", line)]


class Outcome(NamedTuple):
    """Exit code and wall time of a command."""

    command: str
    code: int
    seconds: float


def blocks(page: str) -> Iterator[Block]:
    """Yield a page's fenced blocks in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield Block(text.count("\n", 0, found.start(2)) + 1, found[3], dict(MARK.findall(found[1])))


def run_page(
    page: str, clone: Path, records: Path, leave_out: Collection[str] = (), **variables: str
) -> Iterator[Outcome]:
    """Yield what comes of each command that is to run; one shell keeps folders and variables."""
    folder = clone
    variables |= {"HOME": str(clone.parent / "home"), "PATH": f"{clone}/.venv/bin:/usr/bin:/bin"}
    for block in blocks(page):
        if "folder" in block.marks:
            folder = clone.parent / block.marks["folder"]
            folder.mkdir()
            (folder / "audioset").symlink_to(records)
        if "file" in block.marks:
            path = folder / block.marks["file"]
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(block.text, encoding="utf-8")
        for command in [] if "not run" in block.marks else block.commands:
            if command in leave_out:
                continue
            if command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                variables[name] = value
                continue
            line = re.sub(r"\bFOLDER\b", shlex.quote(str(records)), command)
            began = time.perf_counter()
            done = subprocess.run(
                ["bash", "-c", line], cwd=folder, env=variables, timeout=MOST_SECONDS,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
            )  # fmt: skip
            if done.returncode:
                print(f"{page}: {command}\n{done.stdout}", file=sys.stderr)
            yield Outcome(command, done.returncode, time.perf_counter() - began)


def with_test_split(records: Path, folder: Path) -> Path:
    """A folder of links to records, with those of validate as test, too."""
    folder.mkdir()
    for path in records.iterdir():
        (folder / path.name).symlink_to(path)
        if path.name.startswith("validate"):
            (folder / path.name.replace("validate", "test")).symlink_to(path)
    return folder


def clone_into(folder: Path) -> Path:
    """A fresh clone, and an empty home folder next to it."""
    (folder / "home").mkdir()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "yt8m_kit")], check=True)
    return folder / "yt8m_kit"


def main() -> int:
    """Run all pages; 1 if a command fails."""
    made = parser(__doc__)
    made.add_argument("--records", type=Path, required=True)
    made.add_argument("--only", default=",".join(PAGES), help="pages, separated by commas")
    options = made.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        clone = clone_into(Path(folder))
        records = with_test_split(options.records.resolve() / "audioset", Path(folder) / "audioset")
        for page in options.only.split(","):
            for done in run_page(page, clone, records):
                print(page, done, file=sys.stderr)
                seconds = f"{done.seconds:.1f}"
                rows.append(
                    {"page": page, "command": f"`{done.command}`", "exit": str(done.code), "seconds": seconds}
                )
    show("docs_commands", markdown(rows), options.write, command=False)
    return int(any(row["exit"] != "0" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
