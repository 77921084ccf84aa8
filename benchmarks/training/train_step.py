"""Training steps of the kit against the same models written down plainly in Keras.

    python -m benchmarks.training.train_step [--cases "NetVLAD 64 at 128;..."] [--repeats 7] [--seconds 1]
        [--write]

Videos of 300 random frames of 1024 + 128 bytes, already in memory, and 3862 classes. "plain":
benchmarks/baselines/naive.py in float32 under one tf.function, with the same loss and optimiser. "kit": its
layers, which fold dequantization and the input's BatchNorm into the first product, and its step, whose
update XLA compiles. Milliseconds and ratios are medians with the least and the greatest of the turns.
"""

from dataclasses import replace
from typing import Any

from benchmarks.harness import compare, docs_tables, steps
from yt8m_kit.output.tables import Row, markdown

CASES = {
    "NetVLAD 64 at 128": ("NetVLAD 64", 128),
    "NetVLAD 64 at 64": ("NetVLAD 64", 64),
    "NeXtVLAD 8x112 at 64": ("NeXtVLAD 8x112", 64),
    "GRU 2x1024 at 32": ("GRU 2x1024", 32),
    "LSTM 2x1024 at 32": ("LSTM 2x1024", 32),
    "DBoF 4096, 30 frames at 128": ("DBoF 4096, 30 frames", 128),
}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {"way": "plain"},
    "kit": {},
    "kit, mixed_bfloat16": {"precision": "mixed_bfloat16"},
}


def rows_of(case: str, repeats: int, seconds: float) -> list[Row]:
    """The ways of one case; they must have as many parameters each."""
    name, batch = CASES[case]
    family, hyperparameters = steps.PUBLISHED[name]
    job = steps.Job(family, hyperparameters, batch, seconds=seconds)
    jobs = {way: replace(job, **settings) for way, settings in WAYS.items()}
    return [{"model": name} | row for row in steps.compared(jobs, repeats)]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--cases", default=";".join(CASES), help="separated by semicolons")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn, at least one step")
    options = compare.options(parser, steps.ready, repeats=7)
    rows = [
        row for case in options.cases.split(";") for row in rows_of(case, options.repeats, options.seconds)
    ]
    docs_tables.show("train_step", markdown(rows), options.write)


if __name__ == "__main__":
    main()
