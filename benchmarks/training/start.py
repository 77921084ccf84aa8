"""From the start of the process to the end of the first training step, against a script as the starter's.

    python -m benchmarks.training.start [--repeats 5] [--folder TMP] [--write]

Gated NetVLAD, 64 clusters, hidden 1024, batch 64, 3862 classes, 200 videos. "kit": `yt8m train`, until the
first step's loss is logged. "starter-like" (benchmarks/baselines/starter_like.py): TensorFlow imported, a
tf.data pipeline, the model of benchmarks/baselines/naive.py, compile and fit, until the first batch has
ended.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import compare, docs_tables
from benchmarks.harness.random_records import write
from yt8m_kit.output.tables import markdown
from yt8m_kit.run import Run

RECIPES = Path(__file__).parents[1] / "recipes"
POLL = 0.005  # seconds
VIDEOS = 200


def kit(data: Path, runs: Path) -> compare.Turn:
    """Until the row of the first step is there."""
    run = Run.of(runs, "speed", "first_step")
    words = [sys.executable, "-m", "yt8m_kit.cli", "train", "speed", "first_step"]
    words += [f"--data={data}", f"--runs={runs}"]
    return until(lambda: run.metrics.exists() and run.metrics.stat().st_size > 0, words)


def starter_like(data: Path, runs: Path) -> compare.Turn:
    """Until it leaves a file."""
    mark = runs / "starter-like"
    words = [sys.executable, "-m", "benchmarks.baselines.starter_like", str(data), str(mark)]
    return until(lambda: mark.exists(), words)


def until(done: Callable[[], bool], words: list[str]) -> compare.Turn:
    """A process from its start to where `done` is true; then it is killed."""
    environment = os.environ | {"YT8M_RECIPES": str(RECIPES), "TF_CPP_MIN_LOG_LEVEL": "3"}
    began = time.perf_counter()
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as process:
        while not done():
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
            time.sleep(POLL)
        wall = time.perf_counter() - began
        turn = compare.Turn(wall, compare.cpu_of(process.pid), compare.peak(process.pid))
        process.kill()
    return turn


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    parser.add_argument("--folder", type=Path, help="where to put 350 MB meanwhile; default: the system's")
    options = parser.parse_args()
    ways = {"starter-like": starter_like, "kit": kit}
    taken: dict[str, list[compare.Turn]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        data = Path(name) / "data"
        data.mkdir()
        write(data, VIDEOS)
        for turn in range(options.repeats + 1):
            for title, way in ways.items():
                runs = Path(name) / f"{title} {turn}"
                runs.mkdir()
                found = way(data, runs)
                if turn:  # the first brings files into the page cache
                    taken[title].append(found)
    rows = [
        {
            "way": title,
            "wall s": compare.spread([turn.wall for turn in turns]),
            "CPU s": compare.spread([turn.cpu for turn in turns]),
        }
        | compare.against(taken["starter-like"], turns)
        for title, turns in taken.items()
    ]
    docs_tables.show("start", markdown(rows), options.write)


if __name__ == "__main__":
    main()
