"""GAP@20 of 1.1 million videos, against a heap of pairs and against numpy's argsort.

    python benchmarks/gap.py [--videos 1100000] [--heap 20000] [--repeats 5] [--write]

From 20 confidences and hits of each video, already chosen. "heap": each pair pushed on a heap and taken from
it in order, as the starter's calculator does; it is run on --heap videos, and its times are multiplied up to
all of them, which favours it. Peak memory is of a process that does all three.
"""

import heapq
from functools import partial

import contest
import numpy as np
import page
from numpy.typing import NDArray

from yt8m_kit.metrics import gap
from yt8m_kit.table import Row, markdown

Floats, Bools = NDArray[np.float32], NDArray[np.bool_]


def by_heap(confidences: Floats, hits: Bools, positives: int) -> float:
    """One pair after the other."""
    heap: list[tuple[float, bool]] = []
    for values, own in zip(confidences, hits):
        for value, hit in zip(values, own):
            heapq.heappush(heap, (-value, hit))
    found, total = 0, 0.0
    for rank in range(1, len(heap) + 1):
        if heapq.heappop(heap)[1]:
            found += 1
            total += found / rank
    return total / positives


def by_argsort(confidences: Floats, hits: Bools, positives: int) -> float:
    """The textbook's way in numpy."""
    sorted_hits = hits.ravel()[np.argsort(-confidences.ravel(), kind="stable")]
    precision = np.cumsum(sorted_hits) / np.arange(1, sorted_hits.size + 1)
    return float(np.sum(precision * sorted_hits) / positives)


def main() -> None:
    """Measures and prints the table."""
    parser = page.parser(__doc__)
    parser.add_argument("--videos", type=int, default=1_100_000)
    parser.add_argument("--heap", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=contest.REPEATS)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    confidences = rng.random((options.videos, 20), np.float32) ** 3
    hits = rng.random(confidences.shape, np.float32) < 0.8 * confidences
    positives, few = 3 * options.videos, min(options.heap, options.videos)
    part = confidences[:few], hits[:few], 3 * few
    scores = [way(*part) for way in (by_heap, by_argsort, gap)]
    assert np.ptp(scores) < 1e-6, scores
    work = {
        "heap": partial(by_heap, *part),
        "argsort": partial(by_argsort, confidences, hits, positives),
        "kit": partial(gap, confidences, hits, positives),
    }
    taken = contest.alternate(work, options.repeats)
    taken["heap"] = [turn.per(few / options.videos) for turn in taken["heap"]]
    rows: list[Row] = [
        {
            "way": name,
            "wall s": contest.spread([turn.wall for turn in turns]),
            "CPU s": contest.spread([turn.cpu for turn in turns]),
        }
        | contest.against(taken["heap"], turns)
        for name, turns in taken.items()
    ]
    page.show("gap", f"{options.videos:,} videos.\n\n{markdown(rows)}", options.write)


if __name__ == "__main__":
    main()
