"""Hours and euros of training whole recipes on one device, by arithmetic from measured steps of each member.

    python -m benchmarks.training.recipe_hours [--recipes yt8m_t,liu] [--precisions float32,mixed_bfloat16]
        [--price 2.5] [--repeats 3] [--seconds 1] [--abreast 6] [--write]

In JAX, on whatever device it finds: the kit's step at each member's sizes and batch; random videos of 300
frames in the host's memory are copied to the device at each step. Hours: the member's steps times the median.
Reading, validation, averaging and predictions are not in them. GB/s: of frames that must be read meanwhile.
--price: euros for an hour of the device. --abreast: processes that compile at the same time; they step one
after another.
"""

import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import NamedTuple

from benchmarks.harness import compare, docs_tables, steps
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.recipe import load

ALONE = {"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
VIDEO = YOUTUBE8M_2018.max_frames * YOUTUBE8M_2018.width  # bytes of its frames
WORDS = {"float32": "float32", "mixed_bfloat16": "bfloat16"}


class Case(NamedTuple):
    """A member of a recipe in one precision, with the steps of its training."""

    recipe: str
    member: str
    steps: int
    job: steps.Job


def cases(recipe: str, precision: str, seconds: float) -> list[Case]:
    """All members of a recipe."""
    found = []
    for name, member in load(recipe).members.items():
        given = dict(member.hyperparameters)
        job = steps.Job(member.family, given, member.batch_size, precision=precision, seconds=seconds)  # type: ignore[arg-type]
        assert member.steps, "lengths in epochs depend on the records"
        found.append(Case(recipe, name, member.steps, job))
    return found


def measured(group: list[Case], repeats: int) -> list[Row]:
    """A row for each case; the processes compile abreast and step in turns."""
    with ThreadPoolExecutor() as pool:
        ways = list(pool.map(lambda case: compare.Way(asdict(case.job), ALONE), group))
    taken = compare.turns({str(number): way for number, way in enumerate(ways)}, repeats)
    return [row_of(case, way, turns) for case, way, turns in zip(group, ways, taken.values())]


def row_of(case: Case, way: compare.Way, turns: list[compare.Turn]) -> Row:
    """What a member takes."""
    walls = [turn.wall / way.about["steps"] for turn in turns]
    rate = case.job.batch / statistics.median(walls)
    return {
        "recipe": case.recipe,
        "member": case.member,
        "products": WORDS[case.job.precision],
        "M parameters": f"{way.about['parameters'] / 1e6:.1f}",
        "batch": case.job.batch,
        "ms a step": compare.spread([1e3 * wall for wall in walls], ".1f"),
        "videos/s": f"{rate:,.0f}",
        "GB/s": f"{rate * VIDEO / 1e9:.2f}",
        "hours": f"{case.steps * statistics.median(walls) / 3600:.1f}",
    }


def totals(rows: list[Row], price: float) -> list[Row]:
    """A row for each recipe and precision."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        found.setdefault((str(row["recipe"]), str(row["products"])), []).append(float(row["hours"]))
    return [
        {
            "recipe": recipe,
            "products": products,
            "members": len(hours),
            "hours": f"{sum(hours):.0f}",
            f"euros at {price:g} an hour": f"{price * sum(hours):,.0f}",
        }
        for (recipe, products), hours in found.items()
    ]


def main() -> None:
    """Measures and prints both tables."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--recipes", default="yt8m_t,liu")
    parser.add_argument("--precisions", default="float32,mixed_bfloat16")
    parser.add_argument("--price", type=float, default=2.5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn, at least one step")
    parser.add_argument("--abreast", type=int, default=6)
    options = compare.options(parser, steps.ready, repeats=3)
    waiting = [
        case
        for recipe in options.recipes.split(",")
        for precision in options.precisions.split(",")
        for case in cases(recipe, precision, options.seconds)
    ]
    rows: list[Row] = []
    for first in range(0, len(waiting), options.abreast):
        rows += measured(waiting[first : first + options.abreast], options.repeats)
        print(markdown(rows[first:]), flush=True)
    text = f"{markdown(totals(rows, options.price))}\n{markdown(rows)}"
    docs_tables.show("recipe_hours", text, options.write)


if __name__ == "__main__":
    main()
