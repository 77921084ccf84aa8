"""Time and memory of a blend search at size, on random data, and its curve of bytes against GAP@20.

    python -m benchmarks.export.blend [--members 20] [--videos 20000] [--classes 3862] [--write]
    python -m benchmarks.export.blend --recipe reach --ensemble within_20_mb [--data FOLDER] [--runs runs]
        [--write]

Members see the truth through noise of their own, some more clearly than others, and weigh between 20 and 400
MB; their probabilities are made anew whenever they are read, as a file would be. What candidates cost is
measured on the blend that is found: its GAP@20 among them against that of all classes, the same after all
probabilities were rounded to float16, and how many videos are shown to be exact.
"""

import os
import resource
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import (
    docs_tables,
    quiet,  # noqa: F401
)
from yt8m_kit.ensembling.candidate_classes import keep_top_classes
from yt8m_kit.ensembling.ensemble import mix
from yt8m_kit.ensembling.search import Search, held_out
from yt8m_kit.evaluation.evaluate import probabilities_of
from yt8m_kit.metrics import gap_at_20
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.quantization.sizes import member_bytes
from yt8m_kit.recipe import SIZE_LIMIT, Recipe, load
from yt8m_kit.run import Experiment, Run

Floats = NDArray[np.float32]


class World(NamedTuple):
    """truth: bool (N, C). plausible: classes of each video that look true, (N, 60). looks: how much so."""

    truth: NDArray[np.bool_]
    plausible: NDArray[np.int64]
    looks: Floats


def world_of(videos: int, classes: int) -> World:
    """About three labels a video, frequent and rare; they are among 60 plausible ones and look more so."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(10, classes + 10)
    plausible = rng.choice(classes, (videos, 60), p=frequency / frequency.sum())
    looks = rng.random(plausible.shape, np.float32) ** 4
    looks[:, :3] += 0.3 * rng.random((videos, 3), np.float32)
    truth = np.zeros((videos, classes), bool)
    np.put_along_axis(truth, plausible[:, :3], True, axis=1)
    return World(truth, plausible, looks)


def member(number: int, noise: float, world: World) -> Floats:
    """Probabilities of a member, the same at every call: how true classes look, through noise of its own."""
    rng = np.random.default_rng([1, number])
    probabilities = rng.random(world.truth.shape, np.float32)
    probabilities *= np.float32(0.01)
    seen = world.looks + np.float32(noise) * rng.standard_normal(world.looks.shape, np.float32)
    seen[:, :3] += np.float32(0.8)
    np.put_along_axis(probabilities, world.plausible, np.clip(0.7 * seen, 0, 1), axis=1)
    return probabilities


class Members(NamedTuple):
    """read: probabilities float32 (N, C) of each. sizes: bytes of each. limit: of all that are blended."""

    read: Sequence[Callable[[], Floats]]
    truth: NDArray[np.bool_]
    sizes: list[int]
    limit: int


def random_members(count: int, videos: int, classes: int) -> Members:
    """Larger ones see more clearly, on the whole."""
    world, rng = world_of(videos, classes), np.random.default_rng(2)
    sizes = [int(size) for size in np.geomspace(2e7, 4e8, count)]
    noises = 0.45 - 0.1 * np.log10(np.array(sizes) / 1e7) + rng.normal(0, 0.03, count)
    read = [partial(member, number, noise, world) for number, noise in enumerate(noises)]
    return Members(read, world.truth, sizes, SIZE_LIMIT)


def real_members(recipe: Recipe, ensemble: str, data: Path, runs: Path) -> Members:
    """Those of an ensemble, evaluated on the validation split."""
    blend = recipe.ensembles[ensemble]
    found = [probabilities_of(Experiment(recipe, data, runs), name) for name in blend.members]
    read = [partial(_same, probabilities) for _, probabilities, _ in found]
    return Members(read, found[0][2], member_bytes(recipe, blend), blend.limit)


def _same(probabilities: Floats) -> Floats:
    return probabilities


def _halved(read: Callable[[], Floats]) -> Floats:
    return read().astype(np.float16).astype(np.float32)


def searched(members: Members) -> str:
    """What a search of the members' blend took and found."""
    read, truth, sizes, limit = members
    started = time.perf_counter()
    candidates = keep_top_classes(read, truth)
    gathered = time.perf_counter()
    search = Search(candidates, sizes, limit).run()
    best = search.best()
    found = time.perf_counter()
    held, equal = held_out(candidates, truth.sum(axis=1), sizes, limit)
    judged = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    exact = gap_at_20(mix(read, best.weights), truth)
    halved = gap_at_20(mix([partial(_halved, each) for each in read], best.weights), truth)
    rows: list[Row] = [
        {
            "MB": f"{point.size / 1e6:,.2f}",
            "GAP@20": f"{point.score:.5f}",
            "members": len(point.members),
            "fits": "yes" if point.size <= limit else "no",
        }
        for point in search.curve()
    ]
    return (
        f"{len(read)} members, {truth.shape[0]:,} videos, {truth.shape[1]} classes: gathering "
        f"{gathered - started:.0f} s, searching {found - gathered:.0f} s, scoring held-out videos "
        f"{judged - found:.0f} s; peak memory {peak:.2f} GiB (dense, the members alone are "
        f"{len(read) * truth.size * 4 / 2**30:.2f} GiB).\n\n"
        f"Within {limit / 1e6:,.0f} MB: GAP@20 {best.score:.6f} among {candidates.hits.shape[1]} candidates "
        f"a video, {exact:.6f} among all classes, {halved:.6f} after rounding to float16; "
        f"{candidates.share_exact(best.weights):.2%} of the videos are exact. On held-out videos: "
        f"{held:.5f} with searched weights, {equal:.5f} with equal ones.\n\n{markdown(rows)}"
    )


def main() -> None:
    """Measures and prints."""
    parser = docs_tables.parser(__doc__)
    for name, default in (("members", 20), ("videos", 20_000), ("classes", 3862)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--recipe", help="take members of this recipe's --ensemble instead")
    parser.add_argument("--ensemble", default="all")
    parser.add_argument("--data", type=Path, default=os.environ.get("YT8M_DATA", "data/audioset"))
    parser.add_argument("--runs", type=Path, default=os.environ.get("YT8M_RUNS", "runs"))
    options = parser.parse_args()
    if options.recipe:
        recipe = load(options.recipe)
        names = recipe.ensembles[options.ensemble].members
        if not all(Run.of(options.runs, recipe.name, name).averaged.exists() for name in names):
            print(f"blend: skipped, {options.runs} lacks members of {options.recipe} {options.ensemble}")
            return
        members = real_members(recipe, options.ensemble, options.data, options.runs)
        docs_tables.show(f"blend {options.recipe} {options.ensemble}", searched(members), options.write)
    else:
        members = random_members(options.members, options.videos, options.classes)
        docs_tables.show("blend", searched(members), options.write)


if __name__ == "__main__":
    main()
