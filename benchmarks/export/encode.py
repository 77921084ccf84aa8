"""How long it takes to encode and to decode 100 million weights, and how far off they are then.

    python -m benchmarks.export.encode [--millions 100] [--write]

Against rounding each weight to the nearest of 256 centroids on its own, by the distance to each of them and
by binary search (measured on two million weights). First place's kit took 32 s for 43 million. "off" is the
root mean square error in standard deviations of the weights: normal ones, and heavier tails (Student's t with
4 degrees of freedom).
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import (
    docs_tables,
    quiet,  # noqa: F401
)
from yt8m_kit.codecs.encoding import decode, encode
from yt8m_kit.codecs.formats import FORMATS
from yt8m_kit.output.tables import Row, markdown

Floats = NDArray[np.float32]
BRUTE = 2_000_000


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def centroids(array: Floats) -> Floats:
    """256 even ones from the least to the greatest value."""
    return np.linspace(array.min(), array.max(), 256, dtype=np.float32)


def by_distance(values: Floats) -> None:
    """The nearest centroid of each value, by its distance to all of them."""
    book = centroids(values)
    for part in np.array_split(values, max(values.size // 4096, 1)):
        np.abs(part[:, None] - book).argmin(axis=1).astype(np.uint8)


def by_search(values: Floats) -> None:
    """The nearest centroid of each value, by binary search among the midpoints."""
    book = centroids(values)
    np.searchsorted((book[1:] + book[:-1]) / 2, values).astype(np.uint8)


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--millions", type=int, default=100)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (options.millions * 1_000_000 // 2048, 2048)
    normal = rng.standard_normal(shape, np.float32) * np.float32(0.05)
    heavy = rng.standard_t(4, (8192, 256)).astype(np.float32)
    to_100_million = 1e8 / normal.size
    rows: list[Row] = []
    for format in FORMATS:
        took = seconds(lambda: encode(format, normal))  # noqa: B023
        stored = encode(format, normal)
        np.asarray(decode(encode(format, heavy)))  # warms up
        decoding = seconds(lambda: np.asarray(decode(stored)))  # noqa: B023
        rows.append(
            {
                "format": format,
                "bits a weight": f"{stored.size * 8 / normal.size:.2f}",
                "encode, s": f"{took * to_100_million:.2f}",
                "decode, s": f"{decoding * to_100_million:.2f}",
                "off, normal": f"{off(normal[:8192, :256], format):.5f}",
                "off, heavy tails": f"{off(heavy, format):.5f}",
            }
        )
    few = normal.ravel()[:BRUTE]
    for name, way in (("256 distances", by_distance), ("binary search", by_search)):
        took = seconds(lambda: way(few))  # noqa: B023
        rows.append({"format": f"each weight alone: {name}", "encode, s": f"{took * 1e8 / BRUTE:.2f}"})
    docs_tables.show(
        "encode", f"Seconds for 100 million weights, two cores.\n\n{markdown(rows)}", options.write
    )


def off(array: Floats, format: str) -> float:
    """Root mean square error of a format in standard deviations."""
    return float(np.sqrt(np.mean(np.square(np.asarray(decode(encode(format, array))) - array))) / array.std())


if __name__ == "__main__":
    main()
