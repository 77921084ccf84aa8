"""Rates of the matrix products that TensorFlow offers: float32, bfloat16, and of 8-bit integers.

    python -m benchmarks.export.products [--size 3072] [--repeats 3] [--write]

Square matrices; billions of multiplications and additions a CPU second, summed to float32 or int32.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.harness import (
    compare,
    docs_tables,
    quiet,  # noqa: F401
)
from yt8m_kit.output.tables import Row, markdown


def products(size: int) -> dict[str, Callable[[], Any]]:
    """The ways by name; the left matrix has bytes, the right one signed bytes."""
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 128, (size, size), np.uint8), rng.integers(-127, 128, (size, size), np.int8)
    floats = [tf.cast(each, tf.float32) for each in (left, right)]
    halves = [tf.cast(each, tf.bfloat16) for each in floats]
    signed = [tf.cast(each, tf.int8) for each in (left, right)]
    codes = tf.bitcast(tf.constant(left), tf.quint8), tf.bitcast(tf.constant(right), tf.qint8)

    def integers(x: Any, y: Any) -> Any:
        return tf.raw_ops.BatchMatMulV3(x=x, y=y, Tout=tf.int32)

    def fused() -> Any:
        ranges = {"min_a": 0.0, "max_a": 255.0, "min_b": -127.0, "max_b": 127.0}
        sums, _, _ = tf.raw_ops.QuantizedMatMulWithBias(
            a=codes[0], b=codes[1], bias=tf.zeros((size,)), Toutput=tf.qint32, **ranges
        )
        return tf.bitcast(sums, tf.int32)

    compiled = tf.function(integers, jit_compile=True)
    return {
        "float32": lambda: tf.matmul(*floats),
        "bfloat16": lambda: tf.matmul(*halves),
        "int8, BatchMatMulV3": lambda: integers(*signed),
        "int8, compiled by XLA": lambda: compiled(*signed),
        "uint8 by int8, QuantizedMatMulWithBias": fused,
    }


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=3072)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    ways = {name: (lambda work=work: work().numpy()) for name, work in products(options.size).items()}
    taken = compare.alternate(ways, options.repeats)
    count = 2 * options.size**3 / 1e9
    rows: list[Row] = [
        {"product": name, "a CPU second": compare.spread([count / turn.cpu for turn in turns])}
        for name, turns in taken.items()
    ]
    docs_tables.show("products", markdown(rows), options.write)


if __name__ == "__main__":
    main()
