"""Training steps in JAX: the kit's against Keras' own fit, and against TensorFlow's, on CPUs in float32.

    python benchmarks/jax_step.py [--batch 64] [--repeats 5] [--seconds 2] [--write]

The same model, loss and optimiser each time; "plain" is benchmarks/naive.py. fit is given the batches of a
turn in memory, and its overhead of beginning is shared by the steps of a turn. Needs jax installed.
"""

import importlib.util
from dataclasses import replace

import contest
import page
import training

from yt8m_kit.table import Row, markdown

MODELS = ("NetVLAD 64", "DBoF 4096, 30 frames")
WAYS = {
    "plain, Keras' fit, JAX": ("plain fit", "jax"),
    "kit's layers, Keras' fit, JAX": ("fit", "jax"),
    "kit, JAX": ("kit", "jax"),
    "kit, TensorFlow": ("kit", "tensorflow"),
}


def rows_of(name: str, batch: int, repeats: int, seconds: float) -> list[Row]:
    """The ways of one model."""
    family, hyperparameters = training.PUBLISHED[name]
    job = training.Job(family, hyperparameters, batch, seconds=seconds)
    jobs = {title: replace(job, way=way) for title, (way, _) in WAYS.items()}
    backends = {title: backend for title, (_, backend) in WAYS.items()}
    return [{"model": name} | row for row in training.compared(jobs, repeats, backends)]


def main() -> None:
    """Measures and prints the table."""
    parser = page.parser(__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn, at least one step")
    options = contest.options(parser, training.ready)
    if importlib.util.find_spec("jax") is None:
        print("jax_step: skipped, jax is not installed")
        return
    rows = [row for name in MODELS for row in rows_of(name, options.batch, options.repeats, options.seconds)]
    page.show("jax_step", markdown(rows), options.write)


if __name__ == "__main__":
    main()
