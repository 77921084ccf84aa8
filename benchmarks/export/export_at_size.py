"""Ensembles at their published widths in one graph: bytes, load time, memory, and speed against floats.

    python -m benchmarks.export.export_at_size [--cases six_int4,eighteen_int4] [--folder TMP] [--repeats 5]
        [--write]

The six members of YT8M-T and all eighteen of Liu & Liu, with untrained weights, which weigh and run as
trained ones do; one sampling round. Every step is a process of its own, so that peak memory is that step's.
Graph and float graph take turns in one process where there is memory for both. Files come from the page
cache. Speeds are medians; ratios of CPU time, the steadier figure on a shared machine, are medians with their
least and greatest. Needs disk for the float graph: 7 GiB for the eighteen.
"""

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import (
    compare,
    docs_tables,
    quiet,  # noqa: F401
)
from yt8m_kit.output.tables import Row, markdown

BATCHES = (64, 256)


class Case(NamedTuple):
    """An ensemble of a recipe with a codec; together: there is memory for it and its float graph at once."""

    recipe: str
    members: str
    codec: str
    together: bool


CASES = {
    "six_bfloat16": Case("yt8m_t", "M1 M2 M3 M4 M5 M6", "bfloat16", True),
    "six_uint8": Case("yt8m_t", "M1 M2 M3 M4 M5 M6", "uint8", True),
    "six_int8": Case("yt8m_t", "M1 M2 M3 M4 M5 M6", "int8_g128", True),
    "six_int6": Case("yt8m_t", "M1 M2 M3 M4 M5 M6", "int6_g128", True),
    "six_int4": Case("yt8m_t", "M1 M2 M3 M4 M5 M6", "int4_g128", True),
    "eighteen_int4": Case("liu", "Y G F X H K L J A N S O T Q E R M P", "int4_g128", False),
}


def peak() -> float:
    """GiB that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def resident() -> float:
    """GiB that this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 2**30


def export(case: Case, codec: str, folder: str) -> dict[str, Any]:
    """Writes the graph; bytes of codes and on disk, seconds and peak memory."""
    from yt8m_kit import models
    from yt8m_kit.export.export import encoded
    from yt8m_kit.export.saved_model import write_saved_model
    from yt8m_kit.inference.member_model import model_of
    from yt8m_kit.quantization.sizes import stored
    from yt8m_kit.recipe import load

    recipe, parts, encoding = load(case.recipe), [], 0.0
    tensors = stored(recipe, case.members.split(), codec)
    for name in case.members.split():
        member = recipe.member(name)
        outline = models.outline(member.family, recipe.dataset, **member.hyperparameters)
        model = model_of(member, recipe.dataset)
        formats = {tensor.path: tensor.format for tensor in tensors if tensor.member == name}
        started = time.perf_counter()
        parts.append(encoded(model, outline, 1 / len(case.members.split()), formats, {}))
        encoding += time.perf_counter() - started
        del model
        gc.collect()
    started = time.perf_counter()
    write_saved_model(recipe.dataset, parts, 1, Path(folder))
    return {
        "weights": sum(int(np.prod(tensor.shape)) for tensor in tensors),
        "codes": sum(tensor.size for tensor in tensors),
        "bytes": sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()),
        "encoding": encoding,
        "writing": time.perf_counter() - started,
        "peak": peak(),
    }


def run(folders: list[str], repeats: int) -> list[dict[str, Any]]:
    """Loads graphs and lets them take turns; for each load time, memory, and videos/s by batch."""
    import tensorflow as tf

    from yt8m_kit.dataset import YOUTUBE8M_2018 as DATASET

    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (max(BATCHES), DATASET.max_frames, DATASET.width), np.uint8)
    counts = rng.integers(120, DATASET.max_frames + 1, max(BATCHES)).astype(np.int32)
    loaded: list[Any] = []
    found: list[dict[str, Any]] = []
    for folder in folders:
        before, started = resident(), time.perf_counter()
        graph = tf.saved_model.load(folder)
        loaded.append(graph)
        took = time.perf_counter() - started
        found.append({"load": took, "resident": resident() - before, "loading peak": peak(), "out": None})
    for batch in BATCHES:
        inputs = {"frames": tf.constant(frames[:batch]), "num_frames": tf.constant(counts[:batch])}
        walls: list[list[float]] = [[] for _ in loaded]
        cpus: list[list[float]] = [[] for _ in loaded]
        for turn in range(repeats + 1):
            for place, graph in enumerate(loaded):
                started, cpu = time.perf_counter(), time.process_time()
                out = graph.signatures["serving_default"](**inputs)["probabilities"].numpy()
                if turn:  # the first traces and warms up
                    walls[place].append(time.perf_counter() - started)
                    cpus[place].append(time.process_time() - cpu)
                found[place]["out"] = out[:8].tolist()
        for place in range(len(loaded)):
            found[place][f"wall {batch}"] = walls[place]
            found[place][f"cpu {batch}"] = cpus[place]
    for each in found:
        each["peak"] = peak()
    return found


def in_process(step: str, **arguments: Any) -> Any:
    """A step in a process of its own."""
    command = [
        sys.executable,
        "-m",
        docs_tables.module(),
        "--step",
        step,
        "--arguments",
        json.dumps(arguments),
    ]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def measured(name: str, folder: Path, repeats: int, floats: dict[str, dict[str, Any]]) -> Row:
    """A row of the table. floats: what was found of float graphs, by recipe, to be added to."""
    case = CASES[name]
    exported = in_process("export", case=case, codec=case.codec, folder=str(folder / name))
    whole = folder / case.recipe
    if not whole.exists():
        in_process("export", case=case, codec="float32", folder=str(whole))
    if case.together:
        coded, floating = in_process("run", folders=[str(folder / name), str(whole)], repeats=repeats)
    else:
        [coded] = in_process("run", folders=[str(folder / name)], repeats=repeats)
        if case.recipe not in floats:
            [floats[case.recipe]] = in_process("run", folders=[str(whole)], repeats=repeats)
        floating = floats[case.recipe]
    off = np.abs(np.subtract(coded["out"], floating["out"])).max()
    row: Row = {
        "case": name,
        "weights": f"{exported['weights'] / 1e6:.0f} M",
        "bytes": exported["bytes"],
        "MiB": f"{exported['bytes'] / 2**20:.1f}",
        "beside the codes": f"{exported['bytes'] / exported['codes'] - 1:.2%}",
        "encode s": f"{exported['encoding']:.0f}",
        "export peak GiB": f"{exported['peak']:.2f}",
        "load s": f"{coded['load']:.1f}",
        "float load s": f"{floating['load']:.1f}",
        "loaded GiB": f"{coded['resident']:.2f}",
        "load peak GiB": f"{coded['loading peak']:.2f}",
    }
    for batch in BATCHES:
        row[f"videos/s at {batch}"] = compare.median([batch / wall for wall in coded[f"wall {batch}"]], ".0f")
        row[f"float at {batch}"] = compare.median([batch / wall for wall in floating[f"wall {batch}"]], ".0f")
        cpus = zip(coded[f"cpu {batch}"], floating[f"cpu {batch}"])
        row[f"CPU ratio at {batch}"] = compare.spread([own / float_ for own, float_ in cpus], ".3f")
    return row | {"max probability off": f"{off:.4f}"}


def main() -> None:
    """Measures and prints."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--folder", type=Path, help="where graphs lie meanwhile; default: the system's")
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    parser.add_argument("--step", help="(for its own processes)")
    parser.add_argument("--arguments", help="(for its own processes)")
    options = parser.parse_args()
    if options.step:
        arguments = json.loads(options.arguments)
        if "case" in arguments:
            arguments["case"] = Case(*arguments["case"])
        steps: dict[str, Callable[..., object]] = {"export": export, "run": run}
        print(json.dumps(steps[options.step](**arguments)))
        return
    floats: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = [measured(name, Path(folder), options.repeats, floats) for name in options.cases.split(",")]
    docs_tables.show("export_at_size", markdown(rows), options.write)


if __name__ == "__main__":
    main()
