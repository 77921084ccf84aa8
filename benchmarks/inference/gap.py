"""GAP@20 of 1.1 million videos, against a heap of pairs and against numpy's argsort.

    python -m benchmarks.inference.gap [--videos 1100000] [--heap 20000] [--repeats 5] [--write]

From 20 confidences and hits of each video, already chosen. "heap": each pair pushed on a heap and taken from
it in order, as the starter's calculator does; it is run on --heap videos, and its times are multiplied up to
all of them, which favours it; so is its memory not that of all videos. Without vector code: numpy is told not
to use the processor's, as on processors for which it has none.
"""

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import compare, docs_tables
from yt8m_kit.metrics import Bools, Floats, gap
from yt8m_kit.output.tables import Row, markdown


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


WAYS = {"heap": by_heap, "argsort": by_argsort, "kit": gap}


def pairs(videos: int) -> tuple[Floats, Bools, int]:
    """Confidences, hits, and three positives a video."""
    rng = np.random.default_rng(0)
    confidences = rng.random((videos, 20), np.float32) ** 3
    return confidences, rng.random(confidences.shape, np.float32) < 0.8 * confidences, 3 * videos


def ready(way: str, videos: int) -> tuple[Callable[[], object], dict[str, Any]]:
    """For contest.options."""
    return partial(WAYS[way], *pairs(videos)), {}


def rows_of(environment: dict[str, str], videos: int, heap: int, repeats: int) -> list[Row]:
    """A row for each way; those of the heap multiplied up to all videos."""
    counts = {name: heap if name == "heap" else videos for name in WAYS}
    ways = {name: compare.Way({"way": name, "videos": count}, environment) for name, count in counts.items()}
    taken = compare.turns(ways, repeats)
    taken["heap"] = [turn.per(heap / videos) for turn in taken["heap"]]
    return [
        {
            "vector code": "no" if environment else "yes",
            "way": name,
            "wall s": compare.spread([turn.wall for turn in turns]),
            "CPU s": compare.spread([turn.cpu for turn in turns]),
        }
        | compare.against(taken["heap"], turns)
        for name, turns in taken.items()
    ]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=1_100_000)
    parser.add_argument("--heap", type=int, default=20_000)
    options = compare.options(parser, ready)
    few = min(options.heap, options.videos)
    scores = [way(*pairs(few)) for way in WAYS.values()]
    assert np.ptp(scores) < 1e-4, scores  # ties are ordered otherwise by each
    rows = [
        row for each in ({}, compare.SCALAR) for row in rows_of(each, options.videos, few, options.repeats)
    ]
    docs_tables.show("gap", f"{options.videos:,} videos.\n\n{markdown(rows)}", options.write)


if __name__ == "__main__":
    main()
