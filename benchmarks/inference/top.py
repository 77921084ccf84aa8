"""The 20 most probable of 3862 classes of each video, against numpy's argpartition.

    python -m benchmarks.inference.top [--videos 8192] [--repeats 5] [--write]

"argpartition": the 20 by numpy.argpartition, then in order, as the starter's inference does. Without vector
code: numpy is told not to use the processor's, as on processors for which it has none.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import compare, docs_tables
from yt8m_kit.metrics import TOP, Floats, top
from yt8m_kit.output.tables import Row, markdown

CLASSES = 3862


def by_argpartition(probabilities: Floats) -> tuple[Any, Floats]:
    """The textbook's way in numpy; ties in any order."""
    found = np.argpartition(probabilities, -TOP, axis=1)[:, -TOP:]
    confidences = np.take_along_axis(probabilities, found, axis=1)
    order = np.argsort(-confidences, axis=1)
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(confidences, order, axis=1)


WAYS: dict[str, Callable[[Floats], Any]] = {"argpartition": by_argpartition, "kit": top}


def probabilities(videos: int) -> Floats:
    """Mostly small ones."""
    return np.random.default_rng(0).random((videos, CLASSES), np.float32) ** 8


def ready(way: str, videos: int) -> tuple[Callable[[], object], dict[str, Any]]:
    """For compare.options."""
    return partial(WAYS[way], probabilities(videos)), {}


def rows_of(environment: dict[str, str], videos: int, repeats: int) -> list[Row]:
    """A row for each way, with microseconds a video."""
    ways = {name: compare.Way({"way": name, "videos": videos}, environment) for name in WAYS}
    taken = compare.turns(ways, repeats)
    return [
        {
            "vector code": "no" if environment else "yes",
            "way": name,
            "CPU us a video": compare.spread([1e6 * turn.cpu / videos for turn in turns]),
        }
        | compare.against(taken["argpartition"], turns)
        for name, turns in taken.items()
    ]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=8192)
    options = compare.options(parser, ready)
    few = probabilities(100)
    assert all(np.array_equal(own, kit) for own, kit in zip(by_argpartition(few), top(few)))
    rows = [row for each in ({}, compare.SCALAR) for row in rows_of(each, options.videos, options.repeats)]
    docs_tables.show("top", markdown(rows), options.write)


if __name__ == "__main__":
    main()
