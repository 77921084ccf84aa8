"""Training steps in JAX: the kit's against plain ones and Keras' own fit, on whatever device JAX finds.

    python -m benchmarks.training.jax_step [--models "NetVLAD 64;..."] [--batch 64] [--precision float32]
        [--resident] [--repeats 5] [--seconds 2] [--write]

The same model, loss and optimiser each time; "plain" is benchmarks/baselines/naive.py, "step" the kit's:
compiled whole, its state donated. fit is given the batches of a turn in memory, and its overhead of
beginning is shared by the steps of a turn. --resident: the batch of a step lies on the device already, and
fit is left out. Needs jax; without tensorflow, TensorFlow's row is left out.
"""

import importlib.util
from dataclasses import replace

from benchmarks.harness import compare, docs_tables, steps
from yt8m_kit.output.tables import Row, markdown

MODELS = {
    **steps.PUBLISHED,
    "NetVLAD 256": ("netvlad", {"clusters": 256, "hidden": 1024}),
    "DBoF 4096, 300 frames": ("dbof", {"clusters": 4096, "draws": 300}),
}
WAYS = {
    "plain, Keras' fit": ("plain fit", "jax"),
    "kit's layers, Keras' fit": ("fit", "jax"),
    "plain, step": ("plain", "jax"),
    "kit": ("kit", "jax"),
    "kit, TensorFlow": ("kit", "tensorflow"),
}


def rows_of(name: str, job: steps.Job, repeats: int) -> list[Row]:
    """The ways of one model."""
    ways = {
        title: (way, backend)
        for title, (way, backend) in WAYS.items()
        if importlib.util.find_spec(backend) and not (job.resident and ("fit" in way or backend != "jax"))
    }
    jobs = {title: replace(job, way=way) for title, (way, _) in ways.items()}
    backends = {title: backend for title, (_, backend) in ways.items()}
    return [{"model": name} | row for row in steps.compared(jobs, repeats, backends)]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--models", default="NetVLAD 64;DBoF 4096, 30 frames", help="separated by semicolons")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--resident", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn, at least one step")
    options = compare.options(parser, steps.ready)
    if importlib.util.find_spec("jax") is None:
        print("jax_step: skipped, jax is not installed")
        return
    rows = []
    for name in options.models.split(";"):
        family, hyperparameters = MODELS[name]
        job = steps.Job(
            family, hyperparameters, options.batch, precision=options.precision, seconds=options.seconds
        )
        rows += rows_of(name, replace(job, resident=options.resident), options.repeats)
    docs_tables.show("jax_step", markdown(rows), options.write)


if __name__ == "__main__":
    main()
