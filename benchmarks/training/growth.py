"""How a training step's time and memory grow with frames, batch and classes, and a graph's with its members.

    python -m benchmarks.training.growth [--models "NetVLAD 64;GRU 2x1024"] [--repeats 5] [--seconds 1]
        [--folder TMP] [--write]

One thing at a time is changed from 300 frames, a batch of 64 and 3862 classes (the kit's step in float32).
Ratios are to that. "step GiB" is the process' peak less what it had before it built the model. Then 1, 3 and
6 members (NetVLAD 64 of random weights) in one graph of 8-bit codes, with a batch of 64: milliseconds a
batch, time to load, and memory.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.harness import compare, docs_tables, steps
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.recipe import Member, Recipe

CHANGES: tuple[dict[str, Any], ...] = (
    {},
    *({"frames": frames} for frames in (30, 150)),
    *({"batch": batch} for batch in (16, 32, 128)),
    {"classes": 527},
)
MODELS = ("NetVLAD 64", "GRU 2x1024")
MEMBERS = (1, 3, 6)
BATCH = 64


def training_rows(name: str, repeats: int, seconds: float) -> list[Row]:
    """A row for each change; the processes run one after the other, for their memory together is much."""
    family, hyperparameters = steps.PUBLISHED[name]
    whole = steps.Job(family, hyperparameters, BATCH, seconds=seconds)
    rows: list[Row] = []
    for change in CHANGES:
        job = replace(whole, **change)
        if family == "netvlad":  # else it draws 300 frames of however few
            job = replace(job, hyperparameters=hyperparameters | {"draws": job.frames})
        way = compare.Way(asdict(job))
        taken = [turn.per(way.about["steps"]) for turn in compare.turns({"": way}, repeats)[""]]
        wall, cpu = (statistics.median(each) for each in list(zip(*taken))[:2])
        memory = taken[-1].peak - way.about["before"]
        if not change:
            base = wall, cpu, memory
        rows.append(
            {
                "model": name,
                "frames": job.frames,
                "batch": job.batch,
                "classes": job.classes,
                "ms a step": compare.spread([1e3 * step.wall for step in taken], ".0f"),
                "times the wall": f"{wall / base[0]:.2f}",
                "times the CPU": f"{cpu / base[1]:.2f}",
                "step GiB": f"{memory:.2f}",
                "times the memory": f"{memory / base[2]:.2f}",
            }
        )
    return rows


def graph(members: int, repeats: int, folder: str) -> None:
    """Prints what a graph of so many members takes."""
    import tensorflow as tf

    from benchmarks.harness import graphs

    path = Path(folder) / str(members)
    names = [f"member_{number}" for number in range(members)]
    if not path.exists():
        family, hyperparameters = steps.PUBLISHED["NetVLAD 64"]
        alike = {name: Member(family, hyperparameters, steps=1, seed=int(name[7:])) for name in names}
        graphs.write(Recipe("growth", "", YOUTUBE8M_2018, alike), names, "uint8", path)
        return
    before = compare.peak()
    load = compare.timed(lambda: tf.saved_model.load(str(path))).wall
    [turns] = graphs.seconds_of({"": path}, BATCH, repeats).values()
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(json.dumps({"load": load, "turns": turns, "peak": compare.peak() - before, "bytes": size}))


def prediction_rows(repeats: int, folder: Path) -> list[Row]:
    """A row for each number of members."""
    rows: list[Row] = []
    for members in MEMBERS:
        arguments = json.dumps({"members": members, "repeats": repeats, "folder": str(folder)})
        words = [sys.executable, "-m", docs_tables.module(), "--graph", arguments]
        subprocess.run(words, check=True)  # writes it
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8")
        found = json.loads(done.stdout.splitlines()[-1])
        turns = [compare.Turn(*turn) for turn in found["turns"]]
        wall = statistics.median(turn.wall for turn in turns)
        if members == MEMBERS[0]:
            base = wall, found["peak"]
        rows.append(
            {
                "members": members,
                "MiB": f"{found['bytes'] / 2**20:.0f}",
                "load s": f"{found['load']:.2f}",
                "ms a batch": compare.spread([1e3 * turn.wall for turn in turns], ".0f"),
                "videos/s": f"{BATCH / wall:.0f}",
                "times the wall": f"{wall / base[0]:.2f}",
                "graph GiB": f"{found['peak']:.2f}",
                "times the memory": f"{found['peak'] / base[1]:.2f}",
            }
        )
    return rows


def main() -> None:
    """Measures and prints the tables."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--models", default=";".join(MODELS), help="separated by semicolons")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn, at least one step")
    parser.add_argument("--folder", type=Path, help="where graphs lie meanwhile; default: the system's")
    parser.add_argument("--graph", help="(for its own processes)")
    options = compare.options(parser, steps.ready)
    if options.graph:
        graph(**json.loads(options.graph))
        return
    rows = [
        row
        for name in options.models.split(";")
        for row in training_rows(name, options.repeats, options.seconds)
    ]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        graphs = prediction_rows(options.repeats, Path(folder))
    docs_tables.show("growth", f"{markdown(rows)}\n{markdown(graphs)}", options.write)


if __name__ == "__main__":
    main()
