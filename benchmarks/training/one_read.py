"""What reading takes for members trained together from one read, against one after another.

    python -m benchmarks.training.one_read [--repeats 5] [--videos 1000] [--folder TMP] [--write]

Frame-level logistic regression on records of 300 frames in the page cache, 64 steps of 64 videos each, JAX.
"GB read": by all read calls of all processes, the imports of Python among them. "CPU s of reading": of the
process that reads for all; one after another, of a process that only reads the same batches, times their
number. "CPU s", "wall s": of the whole commands, their start included.
"""

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.harness import compare, docs_tables
from benchmarks.harness.random_records import write
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.splits import find
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.pipeline.effort import spent
from yt8m_kit.recipe import load

RECIPES = Path(__file__).parents[1] / "recipes"
COUNTS = (1, 2, 4)  # members


class Taken(NamedTuple):
    """What a way took: bytes read, CPU seconds of reading and of all, seconds."""

    size: float
    reading: float
    cpu: float
    wall: float


def command(members: Sequence[str], data: Path, runs: Path) -> tuple[Taken, str]:
    """Train members with one command; return what it took, without its reading, and what it said."""
    words = [sys.executable, "-m", "yt8m_kit.cli", "train", "one_read", *members]
    before, began = spent(), time.perf_counter()
    done = subprocess.run(
        [*words, f"--data={data}", f"--runs={runs}"],
        env=os.environ | {"YT8M_RECIPES": str(RECIPES), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    taken = spent().since(before)
    wall = time.perf_counter() - began
    return Taken(taken.bytes_read or 0, 0, taken.cpu_seconds, wall), done.stderr


def together(members: Sequence[str], data: Path, runs: Path) -> Taken:
    """From one read."""
    taken, said = command(members, data, runs)
    reading = float(said.partition(" members, ")[2].partition(" s of CPU time")[0])
    return taken._replace(reading=reading)


def one_after_another(members: Sequence[str], data: Path, runs: Path) -> list[Taken]:
    """With a command each; what the first 1, 2, ... of them took."""
    found = [command([member], data, runs)[0]._replace(reading=read_alone(data)) for member in members]
    return [Taken(*sums) for sums in np.cumsum(found, axis=0).tolist()]


def read_alone(data: Path) -> float:
    """CPU seconds of reading the batches of a member."""
    recipe = load("one_read")
    member = recipe.member("m1")
    assert member.steps
    before = resource.getrusage(resource.RUSAGE_SELF)
    batches = read_batches(
        find(data, "train"), recipe.dataset, member.batch_size, seed=member.seed, epochs=None, reuse=5
    )
    for _ in itertools.islice(batches, member.steps):
        pass
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(count: int, way: str, found: Sequence[Taken]) -> Row:
    """A row of the table."""
    return {
        "members": str(count),
        "way": way,
        "GB read": compare.spread([each.size / 1e9 for each in found]),
        "CPU s of reading": compare.spread([each.reading for each in found]),
        "CPU s": compare.spread([each.cpu for each in found]),
        "wall s": compare.spread([each.wall for each in found]),
    }


def main() -> None:
    """Measure and print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where to put 350 MB meanwhile; default: the system's")
    options = parser.parse_args()
    os.environ["YT8M_RECIPES"] = str(RECIPES)
    names = [*load("one_read").members]
    found: dict[tuple[int, str], list[Taken]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        data = Path(name) / "data"
        data.mkdir()
        write(data, options.videos)
        for turn in range(options.repeats):
            apart = one_after_another(names, data, Path(name) / f"apart {turn}")
            for count in COUNTS:
                found.setdefault((count, "one after another"), []).append(apart[count - 1])
            for count in COUNTS[1:]:
                taken = together(names[:count], data, Path(name) / f"together {count} {turn}")
                found.setdefault((count, "together"), []).append(taken)
    rows = [row(count, way, each) for (count, way), each in sorted(found.items())]
    docs_tables.show("one_read", markdown(rows), options.write)


if __name__ == "__main__":
    main()
