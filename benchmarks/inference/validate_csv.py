"""How long a submission's CSV takes to validate, against a plain line-by-line reader of the same checks.

    python -m benchmarks.inference.validate_csv [--rows 1100000] [--repeats 5] [--folder TMP] [--write]

Both read the same file, warm in the page cache, and take turns; medians are printed
with the least and the greatest. The plain
reader splits each line, converts each number with int() and float() and looks at each row by itself.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from itertools import islice, pairwise, product
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import numpy as np

from benchmarks.harness import compare, docs_tables
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.metrics import top
from yt8m_kit.output.tables import markdown
from yt8m_kit.submission.csv_reader import HEADER, check
from yt8m_kit.submission.csv_writer import text

CLASSES = YOUTUBE8M_2018.classes
BLOCK = 20_000  # rows that differ; after them the same values come again under other ids


def write(path: Path, count: int) -> None:
    """A CSV of `count` videos with 4-character ids, as in the competition."""
    values = np.random.default_rng(0).random((BLOCK, CLASSES), dtype=np.float32) ** 50
    lines = text([""] * BLOCK, *top(values)).replace(",", "").splitlines(keepends=True)
    ids = ("".join(letters) for letters in product(ascii_letters + digits, repeat=4))
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for start in range(0, count, BLOCK):
            file.writelines(f"{video},{line}" for video, line in zip(islice(ids, count - start), lines))


def plain(path: Path, classes: int, videos: int) -> None:
    """The checks of submission_file.check, line by line."""
    seen = set()
    with path.open(encoding="utf-8") as lines:
        assert next(lines) == HEADER + "\n"
        for line in lines:
            video, _, text = line.rstrip("\n").partition(",")
            words = text.split(" ")
            labels = [int(word) for word in words[::2]]
            confidences = [float(word) for word in words[1::2]]
            assert len(labels) == len(confidences) == 20
            assert all(0 <= label < classes for label in labels)
            assert len(set(labels)) == 20
            assert all(0 <= confidence <= 1 for confidence in confidences)
            assert all(after <= before for before, after in pairwise(confidences))
            assert video not in seen
            seen.add(video)
    assert len(seen) == videos


WAYS = {"line by line": plain, "kit": check}


def ready(way: str, path: str, videos: int) -> tuple[Callable[[], object], dict[str, Any]]:
    """For contest.options."""
    return partial(WAYS[way], Path(path), CLASSES, videos), {}


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--rows", type=int, default=1_100_000)
    parser.add_argument("--folder", type=Path, help="where to put 300 bytes a row meanwhile")
    options = compare.options(parser, ready)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "submission.csv"
        write(path, options.rows)
        jobs = {name: {"way": name, "path": str(path), "videos": options.rows} for name in WAYS}
        taken = compare.processes(jobs, options.repeats)
        size = path.stat().st_size
    rows = [
        {
            "reader": name,
            "wall s": compare.spread([turn.wall for turn in turns], ".2f"),
            "CPU s": compare.spread([turn.cpu for turn in turns], ".2f"),
        }
        | compare.against(taken["line by line"], turns)
        for name, turns in taken.items()
    ]
    shown = f"{options.rows:,} rows, {size / 1e6:.0f} MB.\n\n{markdown(rows)}"
    docs_tables.show("validate_csv", shown, options.write)


if __name__ == "__main__":
    main()
