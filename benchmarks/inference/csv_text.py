"""The top 20 of each video as lines of the CSV, against formatting number by number in Python.

    python -m benchmarks.inference.csv_text [--videos 20000] [--batch 128] [--repeats 5] [--write]

"number by number" goes through the arrays as the starter does, "row by row" makes lists of them and formats a
row at once. All three give the same text. "trained" confidences fall off as a model's do; "tiny" ones are
below 1e-4 as a rule, where %g writes powers of ten.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import compare, docs_tables
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.submission.csv_writer import text

Top = tuple[list[str], NDArray[np.int32], NDArray[np.float32]]
TRAINED, TINY = 6, 16  # powers of uniform numbers


def number_by_number(ids: list[str], labels: NDArray[np.int32], confidences: NDArray[np.float32]) -> str:
    """As the starter: one %i %g a pair."""
    lines = []
    for video, own, values in zip(ids, labels, confidences):
        pairs = " ".join("%i %g" % pair for pair in zip(own, values))  # noqa: UP031
        lines.append(f"{video},{pairs}\n")
    return "".join(lines)


def row_by_row(ids: list[str], labels: NDArray[np.int32], confidences: NDArray[np.float32]) -> str:
    """One format a row."""
    line = "%s," + " ".join(["%i %g"] * labels.shape[1]) + "\n"
    rows = zip(ids, labels.tolist(), confidences.tolist())
    return "".join(line % (video, *chain.from_iterable(zip(*pairs))) for video, *pairs in rows)


def random_top(videos: int, power: int) -> Top:
    """Ids of four letters, different labels, falling confidences."""
    rng = np.random.default_rng(0)
    steps = rng.integers(1, YOUTUBE8M_2018.classes // 20, (videos, 20))
    confidences = -np.sort(-(rng.random((videos, 20), np.float32) ** power), axis=1)
    return [f"{video:04x}" for video in range(videos)], np.cumsum(steps, axis=1).astype(np.int32), confidences


def in_batches(way: Callable[..., str], top: Top, batch: int) -> str:
    """The whole text, batch by batch as it is when a graph predicts."""
    starts = range(0, len(top[0]), batch)
    return "".join(way(*(each[start : start + batch] for each in top)) for start in starts)


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    options = parser.parse_args()
    ways = {"number by number": number_by_number, "row by row": row_by_row, "kit": text}
    rows: list[Row] = []
    for kind, power in (("trained", TRAINED), ("tiny", TINY)):
        top = random_top(options.videos, power)
        assert len({in_batches(way, top, options.batch) for way in ways.values()}) == 1
        work = {name: partial(in_batches, way, top, options.batch) for name, way in ways.items()}
        taken = compare.alternate(work, options.repeats)
        for name, turns in taken.items():
            own = [turn.per(options.videos) for turn in turns]
            times = {
                "wall us a video": compare.spread([1e6 * turn.wall for turn in own]),
                "CPU us a video": compare.spread([1e6 * turn.cpu for turn in own]),
            }
            ratios = compare.against(taken["number by number"], turns)
            del ratios["peak GiB"]  # one process has them all
            rows.append({"confidences": kind, "way": name} | times | ratios)
    docs_tables.show("csv_text", markdown(rows), options.write)


if __name__ == "__main__":
    main()
