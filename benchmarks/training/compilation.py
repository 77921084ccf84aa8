"""What XLA should compile of a training step on this machine, by family: its update, everything or nothing.

    python -m benchmarks.training.compilation [--families gru,...] [--batch 32] [--precision float32]
        [--repeats 5] [--seconds 1] [--write]

The kit's step on videos of 300 frames with 3862 classes. Ratios are to compiling the update alone, so that a
number over 1 is a better choice. "first step" is tracing and compiling. A family that cannot be compiled
whole has no such row.
"""

import argparse
from dataclasses import asdict, replace

from benchmarks.harness import compare, docs_tables, steps
from yt8m_kit.output.tables import Row, markdown

FAMILIES = {
    **dict(steps.PUBLISHED.values()),
    "soft_bof": {"clusters": 1000},
    "gated_dbof": {"clusters": 1000},
    "netfv": {"clusters": 64},
    "hg_nl": {},
    "tsn": {},
    "stnet": {},
    "frame_logistic": {},
    "video_level": {},
}
COMPILED = ("update", "everything", "nothing")
RECURRENT = ("gru", "lstm")  # keras.ops.scan cannot be trained under XLA in TensorFlow


def rows_of(family: str, options: argparse.Namespace) -> list[Row]:
    """A row for each choice."""
    job = steps.Job(
        family, FAMILIES[family], options.batch, precision=options.precision, seconds=options.seconds
    )
    choices = [each for each in COMPILED if not (each == "everything" and family in RECURRENT)]
    ways = {each: compare.Way(asdict(replace(job, compiled=each))) for each in choices}
    taken = compare.turns(ways, options.repeats)
    each = {name: [turn.per(way.about["steps"]) for turn in taken[name]] for name, way in ways.items()}
    return [
        {
            "family": family,
            "compiled": name,
            "ms a step": compare.spread([1e3 * step.wall for step in own], ".0f"),
            "first step s": f"{ways[name].about['first']:.1f}",
        }
        | compare.against(each["update"], own)
        for name, own in each.items()
    ]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn, at least one step")
    options = compare.options(parser, steps.ready)
    rows = [row for family in options.families.split(",") for row in rows_of(family, options)]
    docs_tables.show("compilation", markdown(rows), options.write)


if __name__ == "__main__":
    main()
