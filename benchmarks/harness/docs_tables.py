"""For the benchmarks, nothing to run here: what a benchmark printed is put into the page that has its mark.

A mark is a pair of comments in the README or a page of docs/, <!-- name --> and <!-- /name -->, alone on
their lines.
"""

import argparse
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the script's docstring as its help, and --write."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--write", action="store_true", help="put the result into its page, too")
    return made


def show(name: str, text: str, write: bool, *, command: bool = True) -> None:
    """Print a result and, if asked, put it, below its command, where the mark is."""
    print(text)
    if write:
        _write(name, f"`{_command()}`\n\n{text.strip()}\n" if command else f"{text.strip()}\n")


def _command() -> str:
    """As it would be typed anywhere: where files lie meanwhile is this machine's matter."""
    hidden = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    hidden.add_argument("--write", action="store_true")
    hidden.add_argument("--folder")
    words = hidden.parse_known_args()[1]
    return " ".join(["python", "-m", module(), *words])


def module() -> str:
    """The benchmark that runs, by the name under which `python -m` knows it."""
    return ".".join(Path(sys.argv[0]).resolve().relative_to(TOP).with_suffix("").parts).removesuffix(
        ".__main__"
    )


def _write(name: str, text: str) -> None:
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    pages = [page for page in [TOP / "README.md", *TOP.glob("docs/**/*.md")] if begin in page.read_text()]
    if len(pages) != 1:
        raise SystemExit(f"{begin.strip()} must stand in one page; it stands in {len(pages)}.")
    before, _, rest = pages[0].read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{pages[0]} has no {end} behind {begin.strip()}.")
    pages[0].write_text(f"{before}{begin}{text}{end}{after}")
