"""For the benchmarks, nothing to run here: TensorFlow started quietly, and results put into a page.

What a benchmark printed goes into docs/quantization.md between its marks, with its command.
"""

import argparse
import sys
from pathlib import Path

from yt8m_kit import backend

backend.start("tensorflow")

PAGE = Path(__file__).resolve().parent.parent / "docs" / "quantization.md"


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the script's docstring as its help, and --write."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--write", action="store_true", help=f"put the result into {PAGE.name}, too")
    return made


def show(name: str, text: str, write: bool) -> None:
    """Print a result and, if asked, put it with its command between <!-- name --> and <!-- /name -->."""
    print(text)
    if not write:
        return
    words = [word for word in sys.argv[1:] if word != "--write"]
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
    before, start, rest = PAGE.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise SystemExit(f"{PAGE} has no <!-- {name} --> ... <!-- /{name} -->.")
    PAGE.write_text(f"{before}{start}`{command}`\n\n{text.strip()}\n{end}{after}")
