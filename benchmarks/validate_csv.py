"""How long a submission's CSV takes to validate, against a plain line-by-line reader of the same checks.

    python benchmarks/validate_csv.py [--rows 1100000] [--repeats 3] [--folder TMP]

Both read the same file, warm in the page cache, and take turns; medians are printed. The plain
reader splits each line, converts each number with int() and float() and looks at each row by itself.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice, pairwise, product
from pathlib import Path
from string import ascii_letters, digits

import numpy as np

from yt8m_kit.metrics import top
from yt8m_kit.spec import YOUTUBE8M_2018
from yt8m_kit.submission_file import HEADER, check, text

CLASSES = YOUTUBE8M_2018.classes
BLOCK = 20_000  # rows that differ; after them the same values come again under other ids


def write(path: Path, count: int) -> None:
    """A CSV of `count` videos with 4-character ids, as in the competition."""
    values = np.random.default_rng(0).random((BLOCK, CLASSES), dtype=np.float32) ** 50
    lines = text([""] * BLOCK, *top(values)).replace(",", "").splitlines(keepends=True)
    ids = ("".join(letters) for letters in product(ascii_letters + digits, repeat=4))
    with path.open("w") as file:
        file.write(HEADER + "\n")
        for start in range(0, count, BLOCK):
            file.writelines(f"{video},{line}" for video, line in zip(islice(ids, count - start), lines))


def plain(path: Path, classes: int, videos: int) -> None:
    """The checks of submission_file.check, line by line."""
    seen = set()
    with path.open() as lines:
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


def seconds(way: Callable[[Path, int, int], None], path: Path, videos: int) -> tuple[float, float]:
    """Wall and CPU time of one validation."""
    began, spent = time.perf_counter(), time.process_time()
    way(path, CLASSES, videos)
    return time.perf_counter() - began, time.process_time() - spent


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to put 300 bytes a row meanwhile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "submission.csv"
        write(path, options.rows)
        taken: dict[str, list[tuple[float, float]]] = {"kit": [], "line by line": []}
        for _ in range(options.repeats):
            taken["kit"].append(seconds(check, path, options.rows))
            taken["line by line"].append(seconds(plain, path, options.rows))
        print(f"{options.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, medians of {options.repeats}\n")
    medians = {name: [statistics.median(column) for column in zip(*times)] for name, times in taken.items()}
    plain_wall, plain_cpu = medians["line by line"]
    print("| reader | wall s | CPU s | wall, times less than line by line | CPU |")
    print("|---|---|---|---|---|")
    for name, (wall, cpu) in medians.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {plain_wall / wall:.1f} | {plain_cpu / cpu:.1f} |")


if __name__ == "__main__":
    main()
