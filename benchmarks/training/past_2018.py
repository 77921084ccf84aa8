"""Families past 2018 against the best of 2018 at equal bytes: benchmarks/recipes/past_2018.py, three seeds.

    python -m benchmarks.training.past_2018 [--data DATA] [--runs runs] [--only NAME,NAME ...] [--jobs 8]
        [--share 1.0] [--write]

Each family's variant is chosen by its GAP@20 on the last shard of the train split, after training on the
others. Seeds 0, 1 and 2 of it are then trained on the whole train split and scored on the validation split.
Members are trained, averaged and evaluated by the kit's stages, so that what is finished is not done again.
--jobs: members at a time, on one device. --share: of the epochs, for a trial, which is kept in runs of its
own. TensorFlow is not needed: KERAS_BACKEND=jax.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.harness import docs_tables
from yt8m_kit import backend, models
from yt8m_kit import recipe as recipes
from yt8m_kit.codecs.formats import codec_bytes
from yt8m_kit.data.loader import splits
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.recipe import Member, Range, Recipe
from yt8m_kit.run import Experiment

SEEDS = (0, 1, 2)
CODEC, TOLERANCE = "uint8", 0.05
ENVIRONMENT = dict(os.environ)  # of the members' processes, before this one keeps off the device
RECIPES = Path(__file__).parents[1] / "recipes"
HELD_OUT = "held_out"  # folder of the records, and of the runs, that the choice is made by


@dataclass(frozen=True)
class Job:
    """A member to train and score: its name in the recipe, its seed, records and runs."""

    name: str
    seed: int
    data: Path
    runs: Path
    share: float

    @property
    def seeded(self) -> str:
        """Its name with the seed."""
        return f"{self.name}-{self.seed}"

    @property
    def scores(self) -> Path:
        """Where its scores will be."""
        return self.runs / "past_2018" / self.seeded / "validate.weights.json"

    def read(self) -> dict[str, float]:
        """Its scores."""
        return json.loads(self.scores.read_text())


def recipe_of(job: Job) -> Recipe:
    """The recipe with that member alone, at its seed and length."""
    recipe = recipes.load("past_2018")
    member = shortened(recipe.members[job.name], job.share)
    hyperparameters = {**member.hyperparameters, "seed": job.seed}
    seeded = replace(member, seed=job.seed, hyperparameters=hyperparameters)
    return replace(recipe, members={job.seeded: seeded})


def shortened(member: Member, share: float) -> Member:
    """The member with a share of its epochs."""
    assert member.epochs is not None
    average = member.average
    if isinstance(average, Range):
        average = Range(int(average.first * share), int(average.last * share))
    steps = max(1, int(member.checkpoint_steps * share))
    return replace(member, epochs=member.epochs * share, average=average, checkpoint_steps=steps)


def work(job: Job) -> None:
    """Trains, averages and evaluates a member, in this process."""
    backend.start()
    from yt8m_kit.evaluation.evaluate import evaluate
    from yt8m_kit.training.average import average
    from yt8m_kit.training.train import train

    experiment = Experiment(recipe_of(job), job.data, job.runs)
    for stage in (train, average, evaluate):
        stage(experiment, job.seeded)


def done(jobs: Sequence[Job], abreast: int) -> None:
    """Runs the stages of each member in a process of its own, so many at a time; they know what is done."""
    with ThreadPoolExecutor(abreast) as threads:
        list(threads.map(lambda job: _in_a_process(job, abreast), jobs))


def _in_a_process(job: Job, abreast: int) -> None:
    about = {"name": job.name, "seed": job.seed, "data": str(job.data), "runs": str(job.runs)}
    words = [sys.executable, "-m", docs_tables.module(), "--job", json.dumps(about | {"share": job.share})]
    environment = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{0.9 / abreast:.3f}", **ENVIRONMENT}
    job.runs.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with (job.runs / f"{job.seeded}.log").open("w") as log:
        code = subprocess.run(words, env=environment, stdout=log, stderr=log).returncode
    if code:
        raise SystemExit(f"{job.seeded} ended with exit code {code}:\n{log_of(job)}")
    seconds = time.perf_counter() - started
    print(f"{job.runs.name} {job.seeded}: GAP@20 {job.read()['gap']:.4f}, {seconds:.0f} s", flush=True)


def log_of(job: Job) -> str:
    """The end of what its process printed."""
    return (job.runs / f"{job.seeded}.log").read_text(encoding="utf-8")[-2000:]


def held_out(data: Path, runs: Path) -> Path:
    """A folder whose train split is all shards of DATA's but the last, which is its validation split."""
    folder = runs / HELD_OUT / "records"
    folder.mkdir(parents=True, exist_ok=True)
    *first, last = splits.find(data, "train")
    for name, path in [(f"train{k:04}.tfrecord", p) for k, p in enumerate(first)] + [
        ("validate0000.tfrecord", last)
    ]:
        if not (folder / name).exists():
            (folder / name).symlink_to(Path(path).resolve())
    return folder


def sizes(recipe: Recipe) -> dict[str, tuple[int, int]]:
    """Parameters and bytes of every member; ends the program where they differ by more than allowed."""
    found = {}
    for name, member in recipe.members.items():
        weights = models.weights(member.family, recipe.dataset, **member.hyperparameters)
        found[name] = sum(each.size for each in weights), codec_bytes(CODEC, weights)
    middle = statistics.median(size for _, size in found.values())
    for name, (_, size) in found.items():
        if abs(size - middle) > TOLERANCE * middle:
            raise SystemExit(f"{name} takes {size:,} bytes, not {middle:,.0f} within {TOLERANCE:.0%}.")
    return found


def row(name: str, about: tuple[int, int], chosen_by: float, scores: Sequence[dict[str, float]]) -> Row:
    """The scores of a family's chosen variant over its seeds."""
    gaps, maps = ([each[key] for each in scores] for key in ("gap", "map"))
    family, _, variant = name.partition("-")
    return {
        "family": family,
        "variant": variant,
        "parameters": about[0],
        "MB as 8-bit codes": f"{about[1] / 1e6:.2f}",
        "GAP@20 held out": f"{chosen_by:.4f}",
        "GAP@20": f"{statistics.median(gaps):.4f} ({min(gaps):.4f} to {max(gaps):.4f})",
        "mAP": f"{statistics.median(maps):.4f} ({min(maps):.4f} to {max(maps):.4f})",
    }


def main() -> None:
    """Train what is missing and print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("YT8M_DATA", "data/audioset"))
    parser.add_argument("--runs", type=Path, default=os.environ.get("YT8M_RUNS", "runs"))
    parser.add_argument("--only", help="these families alone, separated by commas")
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--job", help="(for its own processes)")
    options = parser.parse_args()
    os.environ["YT8M_RECIPES"] = str(RECIPES)
    if options.job:
        about = json.loads(options.job)
        work(Job(**about | {"data": Path(about["data"]), "runs": Path(about["runs"])}))
        return
    runs = options.runs if options.share == 1 else options.runs / f"share_{options.share}"
    compare(options.data, runs.absolute(), options)


def compare(data: Path, runs: Path, options) -> None:
    """Choose the variants, train their seeds, show the table."""
    recipe = recipes.load("past_2018")
    about, families = measured(recipe), dict[str, list[str]]()
    for name in recipe.members:
        families.setdefault(name.partition("-")[0], []).append(name)
    wanted = options.only.split(",") if options.only else [*families]
    records = held_out(data, runs)
    trials = {
        name: Job(name, SEEDS[0], records, runs / HELD_OUT, options.share)
        for family in wanted
        for name in families[family]
    }
    done([*trials.values()], options.jobs)
    chosen_by = {name: job.read()["gap"] for name, job in trials.items()}
    for name, gap in chosen_by.items():
        print(f"held out {name}: GAP@20 {gap:.4f}")
    best = [max(families[family], key=chosen_by.__getitem__) for family in wanted]
    finals = {name: [Job(name, seed, data, runs, options.share) for seed in SEEDS] for name in best}
    done([job for jobs in finals.values() for job in jobs], options.jobs)
    rows = [
        row(name, about[name], chosen_by[name], [job.read() for job in jobs]) for name, jobs in finals.items()
    ]
    docs_tables.show("past_2018", markdown(rows), options.write)


def measured(recipe: Recipe) -> dict[str, tuple[int, int]]:
    """The sizes; no device is taken for them."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    backend.start()
    return sizes(recipe)


if __name__ == "__main__":
    main()
