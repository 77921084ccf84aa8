"""Ten rounds of sampling against one, of the six members of YT8M-T at their published widths.

    python -m benchmarks.inference.rounds [--members M1,M2,M3,M4,M5,M6] [--batch 32] [--rounds 10]
        [--repeats 5] [--write]

Untrained weights, which run as trained ones do. "One by one" runs the members once for each round, as the
rounds are defined; its probabilities are compared with those of the rounds at once.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import (
    compare,
    docs_tables,
    quiet,  # noqa: F401
)
from yt8m_kit.output.tables import Row, markdown

WAYS = {"one": "1 round", "at_once": "{} rounds", "one_by_one": "{} rounds, one by one"}


def batch_of(videos: int) -> dict[str, np.ndarray]:
    """Random frames of videos of 120 to 300."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (videos, 300, 1152), np.uint8)
    return {"frames": frames, "num_frames": rng.integers(120, 301, videos).astype(np.int32)}


def average(model: Any, inputs: dict[str, Any], way: str, rounds: int) -> Any:
    """A member's mean over the rounds of a way."""
    from yt8m_kit.layers.inputs.sampling import Sample, average_rounds

    samples = [layer for layer in model.layers if isinstance(layer, Sample) and layer.draws]
    if way != "one_by_one" or not samples:
        return average_rounds(model, inputs, 1 if way == "one" else rounds)
    total = 0.0
    for number in range(rounds):
        for layer in samples:
            layer.round = number
        total += model(inputs, training=False)
    return total / rounds


def ready(
    way: str, members: list[str], batch: int, rounds: int
) -> tuple[Callable[[], object], dict[str, Any]]:
    """The members' mean probabilities in one compiled function; about it, those of the first videos."""
    import tensorflow as tf

    from yt8m_kit.inference.member_model import model_of
    from yt8m_kit.recipe import load

    recipe = load("yt8m_t")
    models = [model_of(recipe.member(name), recipe.dataset) for name in members]

    @tf.function
    def blend(inputs: dict[str, Any]) -> Any:
        return sum(average(model, inputs, way, rounds) for model in models) / len(models)

    inputs = {name: tf.constant(array) for name, array in batch_of(batch).items()}
    return partial(blend, inputs), {"first": blend(inputs)[0].numpy().tolist()}


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--members", default="M1,M2,M3,M4,M5,M6")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=10)
    options = compare.options(parser, ready)
    given = {"members": options.members.split(","), "batch": options.batch, "rounds": options.rounds}
    ways = {way: compare.Way({"way": way, **given}) for way in WAYS}
    found = {way: np.array(each.about["first"]) for way, each in ways.items()}
    taken = compare.turns(ways, options.repeats)
    off = np.abs(found["at_once"] - found["one_by_one"]).max()
    rows: list[Row] = []
    for way, title in WAYS.items():
        turns = taken[way]
        rows.append(
            {
                "rounds": title.format(options.rounds),
                "ms a video": compare.spread([1e3 * turn.wall / options.batch for turn in turns]),
                "times the CPU of one": compare.spread(
                    [turn.cpu / one.cpu for turn, one in zip(turns, taken["one"])], ".2f"
                ),
                "times the wall time of one": compare.spread(
                    [turn.wall / one.wall for turn, one in zip(turns, taken["one"])], ".2f"
                ),
                "peak GiB": f"{max(turn.peak for turn in turns):.2f}",
            }
        )
    note = f"At once and one by one differ by at most {off:.1e}."
    docs_tables.show("rounds", f"{markdown(rows)}\n{note}", options.write)


if __name__ == "__main__":
    main()
