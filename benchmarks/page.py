"""For the benchmarks, nothing to run here: TensorFlow started quietly, and results put into a page.

What a benchmark printed goes, with its command, between its marks in that page of docs/ which has them.
"""

import argparse
import sys
from pathlib import Path

from yt8m_kit import backend

backend.start("tensorflow")

DOCS = Path(__file__).resolve().parent.parent / "docs"


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the script's docstring as its help, and --write."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--write", action="store_true", help="put the result into its page of docs/, too")
    return made


def show(name: str, text: str, write: bool) -> None:
    """Print a result and, if asked, put it with its command between <!-- name --> and <!-- /name -->."""
    print(text)
    if not write:
        return
    words = [word for word in sys.argv[1:] if word != "--write"]
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
    for path in sorted(DOCS.glob("*.md")):
        before, start, rest = path.read_text().partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if start and end:
            path.write_text(f"{before}{start}`{command}`\n\n{text.strip()}\n{end}{after}")
            return
    raise SystemExit(f"no page in {DOCS} has <!-- {name} --> ... <!-- /{name} -->.")
