"""Exported graphs with bfloat16 products against float32 ones: the six of YT8M-T, at published widths.

    python -m benchmarks.export.arithmetic [--members M1,M2,M3,M4,M5,M6] [--batches 64,256] [--rounds 1]
        [--repeats 3] [--write]

Graphs of a member each, with initial weights as bfloat16 codes, which run as trained ones do. "All": the sums
of what the members took in the same turn.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import (
    compare,
    docs_tables,
    quiet,  # noqa: F401
)
from benchmarks.inference.rounds import batch_of
from yt8m_kit.output.tables import Row, markdown

ARITHMETICS = ("float32", "bfloat16")
Taken = dict[str, list[compare.Turn]]


def written(member: str, arithmetic: Any, rounds: int, folder: str) -> dict[str, Any]:
    """Write a member's graph."""
    from benchmarks.harness.graphs import parts_of
    from yt8m_kit.export.blended_graph import PRECISION
    from yt8m_kit.export.saved_model import write_saved_model
    from yt8m_kit.recipe import load

    recipe = load("yt8m_t")
    parts = parts_of(recipe, [member], "bfloat16", PRECISION[arithmetic])
    write_saved_model(recipe.dataset, parts, rounds, Path(folder))
    return {}


def loaded(folder: str, batch: int) -> tuple[Callable[[], object], dict[str, Any]]:
    """Load a graph; the work is a batch of random videos of 120 to 300 frames."""
    import tensorflow as tf

    inputs = {name: tf.constant(array) for name, array in batch_of(batch).items()}
    graph = tf.saved_model.load(folder)
    run = graph.signatures["serving_default"]

    def work() -> object:
        assert graph is not None  # which owns the weights
        return run(**inputs)["probabilities"].numpy()

    return work, {}


def ready(folder: str, batch: int = 0, **graph: Any) -> tuple[Callable[[], object], dict[str, Any]]:
    """Write a graph, or load one."""
    return loaded(folder, batch) if batch else (lambda: None, written(folder=folder, **graph))


def measured(member: str, options: Any, folder: Path) -> dict[int, Taken]:
    """What each arithmetic took, by batch."""
    paths = {name: str(folder / name) for name in ARITHMETICS}
    for name, path in paths.items():
        compare.Way({"folder": path, "member": member, "arithmetic": name, "rounds": options.rounds}).end()
    batches = [int(batch) for batch in options.batches.split(",")]
    jobs = {batch: {k: {"folder": path, "batch": batch} for k, path in paths.items()} for batch in batches}
    return {batch: compare.processes(job, options.repeats) for batch, job in jobs.items()}


def total(taken: Sequence[list[compare.Turn]]) -> list[compare.Turn]:
    """The sums of members' turns, and the largest of their peaks."""
    return [
        compare.Turn(sum(t.wall for t in turn), sum(t.cpu for t in turn), max(t.peak for t in turn))
        for turn in zip(*taken)
    ]


def row_of(member: str, batch: int, taken: Taken) -> Row:
    """A line of the table."""
    exact, found = (taken[name] for name in ARITHMETICS)
    return {
        "member": member,
        "batch": batch,
        "float32, CPU ms a video": compare.median([1e3 * turn.cpu / batch for turn in exact]),
        "bfloat16": compare.median([1e3 * turn.cpu / batch for turn in found]),
        "times less CPU": compare.against(exact, found)["times less CPU"],
        "times as fast": compare.against(exact, found)["times as fast"],
        "peak GiB, float32": f"{max(turn.peak for turn in exact):.2f}",
        "peak GiB, bfloat16": f"{max(turn.peak for turn in found):.2f}",
    }


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--members", default="M1,M2,M3,M4,M5,M6")
    parser.add_argument("--batches", default="64,256")
    parser.add_argument("--rounds", type=int, default=1)
    options = compare.options(parser, ready, repeats=3)
    found: dict[str, dict[int, Taken]] = {}
    for member in options.members.split(","):
        with tempfile.TemporaryDirectory() as folder:
            found[member] = measured(member, options, Path(folder))
    rows: list[Row] = []
    for batch in next(iter(found.values())):
        rows += [row_of(member, batch, each[batch]) for member, each in found.items()]
        sums = {name: total([each[batch][name] for each in found.values()]) for name in ARITHMETICS}
        rows.append(row_of("all", batch, sums))
    docs_tables.show("arithmetic", markdown(rows), options.write)


if __name__ == "__main__":
    main()
