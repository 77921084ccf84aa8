"""Records to the CSV: the quantized ensemble against its floats, and against first place's way.

    python -m benchmarks.inference.predict [--videos 4000] [--repeats 5] [--batches 64,256] [--folder TMP]
        [--write]

NetVLAD, NeXtVLAD and DBoF of random weights (benchmarks/recipes/speed.py), which run as trained ones do, as
8-bit codes, as float32, and as first place's graph held them: codes that are gathered from a book of 256
values whenever the graph runs. First table: whole processes, start and loading included, on records in the
page cache. "first place's way" (benchmarks/baselines/first_place_like.py) has all of it: such a graph of
the models written down plainly (benchmarks/baselines/naive.py), between the starter code's reading and
writing. The others are `yt8m predict`, which also reads the CSV back. Second: the loaded graphs take turns
on a batch in memory.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import compare, docs_tables
from benchmarks.harness.random_records import write
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment, Run

RECIPES = Path(__file__).parents[1] / "recipes"
FIRST_PLACE = "plain"
TITLES = {
    FIRST_PLACE: "first place's way",
    "gathered": "looked up at each call",
    "floats": "float32",
    "codes": "kit, uint8",
}


def prepare(runs: str) -> None:
    """Members with random weights, blends with equal ones, and the graphs that the kit would not write."""
    from benchmarks.harness import graphs
    from yt8m_kit.inference.member_model import model_of, save_weights
    from yt8m_kit.output.files import write_json
    from yt8m_kit.pipeline.job import adopt
    from yt8m_kit.pipeline.stages import Stages

    recipe = load("speed")
    stages = Stages(Experiment(recipe, Path(runs), Path(runs)))
    names = recipe.ensembles["codes"].members
    for name in names:
        run = Run.of(Path(runs), recipe.name, name)
        run.path.mkdir(parents=True)
        save_weights(model_of(recipe.member(name), recipe.dataset), run.averaged)
        adopt(stages.average(name))
    for name in TITLES:
        run = Run.of(Path(runs), recipe.name, name)
        run.path.mkdir()
        write_json(run.ensemble, {"weights": dict.fromkeys(names, 1.0)})
        adopt(stages.ensemble(name))
    ways = {"gathered": graphs.parts_of, FIRST_PLACE: graphs.plain_parts}
    for name, parts_of in ways.items():
        parts = parts_of(recipe, names, "uint8")
        graphs.write_gathered(recipe.dataset, parts, Run.of(Path(runs), recipe.name, name).graph)
        adopt(stages.export(name))


def steady(runs: str, batch: int, repeats: int) -> None:
    """Prints what the loaded graphs take."""
    from benchmarks.harness import graphs

    folders = {name: Run.of(Path(runs), "speed", name).graph for name in TITLES}
    print(json.dumps(graphs.seconds_of(folders, batch, repeats)))


def apart(step: str, **arguments: object) -> str:
    """A step in a process of its own, so that this one stays small; what it printed."""
    words = [sys.executable, "-m", docs_tables.module(), "--step", step, "--arguments", json.dumps(arguments)]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def yt8m(*words: str) -> list[str]:
    """A verb's command line."""
    return [sys.executable, "-m", "yt8m_kit.cli", *words]


def command(name: str, data: Path, runs: Path) -> list[str]:
    """What makes the CSV with a graph."""
    if name != FIRST_PLACE:
        return yt8m("predict", "speed", name, f"--data={data}", f"--runs={runs}")
    run, module = Run.of(runs, "speed", name), "benchmarks.baselines.first_place_like"
    return [sys.executable, "-m", module, *map(str, (data, run.graph, run.submission))]


def whole(data: Path, runs: Path, videos: int, repeats: int) -> list[Row]:
    """A row for each graph: its process from start to end."""
    taken: dict[str, list[compare.Turn]] = {name: [] for name in TITLES}
    for _ in range(repeats):
        for name, turns in taken.items():
            turns.append(compare.of_process(command(name, data, runs)))
            submission = Run.of(runs, "speed", name).submission
            assert submission.read_bytes().count(b"\n") == videos + 1
            submission.unlink()
    return [
        {
            "graph": title,
            "MiB": f"{_bytes(Run.of(runs, 'speed', name).graph) / 2**20:.0f}",
            "wall s": compare.spread([turn.wall for turn in taken[name]]),
            "videos/s": compare.median([videos / turn.wall for turn in taken[name]]),
        }
        | compare.against(taken[FIRST_PLACE], taken[name])
        for name, title in TITLES.items()
    ]


def loaded(runs: Path, batch: int, repeats: int) -> list[Row]:
    """A row for each graph, beside the others in one process."""
    found = json.loads(apart("steady", runs=str(runs), batch=batch, repeats=repeats))
    taken = {name: [compare.Turn(*turn) for turn in turns] for name, turns in found.items()}
    rows: list[Row] = []
    for name, title in TITLES.items():
        times = {"ms a batch": compare.spread([1e3 * turn.wall for turn in taken[name]], ".0f")}
        ratios = compare.against(taken["floats"], taken[name])
        del ratios["peak GiB"]  # one process has them all
        rows.append({"batch": batch, "graph": title} | times | ratios)
    return rows


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Measures and prints the tables."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    parser.add_argument("--batches", default="64,256")
    parser.add_argument("--folder", type=Path, help="where to put 350 kB a video and 2.5 GB meanwhile")
    parser.add_argument("--step", help="(for its own processes)")
    parser.add_argument("--arguments", help="(for its own processes)")
    options = parser.parse_args()
    os.environ["YT8M_RECIPES"] = str(RECIPES)
    if options.step:
        steps: dict[str, Callable[..., object]] = {"prepare": prepare, "steady": steady}
        steps[options.step](**json.loads(options.arguments))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        data, runs = Path(name) / "data", Path(name) / "runs"
        data.mkdir()
        write(data, options.videos, split="test")
        apart("prepare", runs=str(runs))
        for ensemble in ("codes", "floats"):
            words = yt8m("export", "speed", ensemble, f"--runs={runs}")
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        rows = whole(data, runs, options.videos, options.repeats)
        turns = [
            row for batch in options.batches.split(",") for row in loaded(runs, int(batch), options.repeats)
        ]
    docs_tables.show("predict", f"{markdown(rows)}\n{markdown(turns)}", options.write)


if __name__ == "__main__":
    main()
