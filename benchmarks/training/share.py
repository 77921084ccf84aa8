"""Training steps of every family: their products' rate against that of one large product.

    python -m benchmarks.training.share [--families netvlad,...] [--repeats 5] [--seconds 1] [--write]

GFLOP are of the products of one step, forward and backward, as the kit computes them, counted op by op
(benchmarks/harness/flops.py); casts, elementwise work and the update count nothing, so that the share is what
they leave. The large product is of two matrices of 3072 x 3072 in TensorFlow, in the same precision, in turns
with the steps. The least that a step can take: its products at the rate of the large one, and the update,
which moves the weights and Adam's moments, float32 in both precisions, and is timed alone, in turns as well.
Rates are by CPU seconds. 300 random frames and 3862 classes.
"""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.harness import compare, docs_tables, steps
from yt8m_kit.output.tables import Row, markdown

CASES: dict[str, tuple[dict[str, Any], int]] = {
    "netvlad": ({"clusters": 64, "hidden": 1024}, 128),
    "nextvlad": ({}, 64),
    "gru": ({"units": 1024}, 8),
    "lstm": ({"units": 1024}, 8),
    "dbof": ({"clusters": 4096, "draws": 30}, 128),
    "soft_bof": ({"clusters": 1000}, 32),
    "gated_dbof": ({"clusters": 1000}, 32),
    "netfv": ({"clusters": 64}, 32),
    "attention_pooling": ({}, 32),
    "hg_nl": ({}, 32),
    "stnet": ({}, 32),
    "tsn": ({}, 32),
    "frame_logistic": ({}, 32),
    "video_level": ({}, 32),
}
PRECISIONS = ("float32", "mixed_bfloat16")
SIZE = 3072  # of the matrices


@dataclass(frozen=True)
class Product:
    """Large products, as many as fill a turn."""

    product: str  # its type
    seconds: float


def ready(**arguments: Any) -> tuple[Callable[[], object], dict[str, Any]]:
    """For compare.options: a turn of a Product or of a steps.Job, and the GFLOP of a turn."""
    if "product" in arguments:
        return _products(Product(**arguments))
    work, about = steps.ready(**arguments)
    if arguments["way"] == "update":
        return work, {"steps": about["steps"]}
    from benchmarks.harness import flops

    return work, {"gflop": flops.counted(work) / 1e9, "steps": about["steps"]}


def _products(job: Product) -> tuple[Callable[[], object], dict[str, Any]]:
    from yt8m_kit import backend

    backend.start()
    import tensorflow as tf

    one = tf.cast(tf.random.stateless_normal((SIZE, SIZE), (0, 0)), job.product)
    multiply = tf.function(lambda: tf.matmul(one, one))
    multiply()
    count = max(1, round(job.seconds / compare.timed(multiply).wall))

    def work() -> None:
        for _ in range(count):
            multiply()

    return work, {"gflop": count * 2 * SIZE**3 / 1e9, "steps": count}


def rows_of(family: str, repeats: int, seconds: float) -> list[Row]:
    """A row for each precision of one family."""
    hyperparameters, batch = CASES[family]
    job = steps.Job(family, hyperparameters, batch, seconds=seconds)
    ways = {"update": compare.Way(asdict(replace(job, way="update")))}
    for precision in PRECISIONS:
        own = replace(job, precision=precision)  # type: ignore[arg-type]
        ways[precision] = compare.Way(asdict(own))
        ways[f"product, {precision}"] = compare.Way(
            asdict(Product(precision.removeprefix("mixed_"), seconds))
        )
    taken = compare.turns(ways, repeats)
    each = {name: [turn.cpu / way.about["steps"] for turn in taken[name]] for name, way in ways.items()}
    return [
        {"family": family, "batch": batch, "precision": precision}
        | _row(
            ways[precision].about["gflop"] / ways[precision].about["steps"],
            each[precision],
            [2 * SIZE**3 / 1e9 / product for product in each[f"product, {precision}"]],
            each["update"],
        )
        for precision in PRECISIONS
    ]


def _row(gflop: float, own: list[float], large: list[float], update: list[float]) -> Row:
    """GFLOP and CPU seconds of a step, both rates and their share, the update, and what is left, by turns."""
    least = [gflop / rate + alone for rate, alone in zip(large, update)]
    return {
        "GFLOP a step": f"{gflop:.3g}",
        "CPU s a step": compare.spread(own),
        "GFLOP a CPU s": compare.median([gflop / seconds for seconds in own]),
        "large product": f"{statistics.median(large):.0f}",
        "share %": compare.spread([100 * gflop / seconds / most for seconds, most in zip(own, large)], ".0f"),
        "update, CPU s": compare.median(update),
        "times the least": compare.spread([seconds / few for seconds, few in zip(own, least)], ".2f"),
    }


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--families", default=",".join(CASES))
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn, at least one step")
    options = compare.options(parser, ready)
    rows = [
        row
        for family in options.families.split(",")
        for row in rows_of(family, options.repeats, options.seconds)
    ]
    docs_tables.show("share", markdown(rows), options.write)


if __name__ == "__main__":
    main()
