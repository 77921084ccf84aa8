"""LiteRT models against SavedModels at the published widths: bytes, loading, memory, CPU time a video.

    python -m benchmarks.export.litert [--cases baselines/netvlad,...] [--folder FOLDER] [--videos 10]
        [--repeats 5] [--write]

Untrained weights, batch 1, one thread. The SavedModel has the codec int8 (8 bits a weight, a scale and an
offset for each output channel). Each model is in a process of its own; loading is from the file to the first
prediction, without imports; peak memory is that of the process. "Without a model": of a process that imports
the library alone.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import compare, docs_tables
from yt8m_kit.output.tables import Row, markdown

CASES = (
    "baselines/netvlad", "yt8m_t/M1", "yt8m_t/M3", "phoenixlin/single", "baselines/netfv", "baselines/dbof",
    "yt8m_t/M5", "yt8m_t/M6",
)  # fmt: skip
FRAMES, WIDTH = 300, 1152
KINDS = {"graph": "SavedModel", "litert": "LiteRT", "litert_4": "LiteRT, 4 bits"}


def export(case: str, kind: str, path: str) -> dict[str, Any]:
    """Write a model with untrained weights; its bytes."""
    from benchmarks.harness import quiet  # noqa: F401
    from yt8m_kit import models
    from yt8m_kit.codecs.formats import format_of
    from yt8m_kit.export.export import encoded
    from yt8m_kit.export.litert.model_file import write_litert
    from yt8m_kit.export.saved_model import write_saved_model
    from yt8m_kit.inference.member_model import model_of
    from yt8m_kit.recipe import load

    name, _, member_name = case.partition("/")
    recipe = load(name)
    member = recipe.member(member_name)
    model = model_of(member, recipe.dataset)
    codec = "int8" if kind == "graph" else "float32"
    formats = {v.path: format_of(codec, v.path, tuple(v.shape)) for v in model.variables}
    outline = models.outline(member.family, recipe.dataset, **member.hyperparameters)
    parts = [encoded(model, outline, 1.0, formats, {})]
    began = time.perf_counter()
    if kind == "graph":
        write_saved_model(recipe.dataset, parts, 1, Path(path))
    else:
        labels = [str(number) for number in range(recipe.dataset.classes)]
        write_litert(recipe.dataset, parts, 1, case, labels, Path(path), 4 if kind == "litert_4" else 8)
    seconds, files = time.perf_counter() - began, [Path(path), *Path(path).rglob("*")]
    return {
        "weights": sum(int(np.prod(variable.shape)) for variable in model.variables),
        "bytes": sum(file.stat().st_size for file in files if file.is_file()),
        "seconds": seconds,
        "peak": compare.peak(),
    }


def predictor(kind: str, path: str) -> Callable[..., Any]:
    """The model as a function of frames and num_frames of one video."""
    if kind != "graph":
        from ai_edge_litert.interpreter import Interpreter

        run = Interpreter(model_path=path, num_threads=1).get_signature_runner()
        return lambda frames, num_frames: run(frames=frames, num_frames=num_frames)["probabilities"]
    import tensorflow as tf

    graph = tf.saved_model.load(path)  # which the signature does not keep

    def predict(frames, num_frames):
        inputs = {"frames": tf.constant(frames), "num_frames": tf.constant(num_frames)}
        return graph.signatures["serving_default"](**inputs)["probabilities"].numpy()

    return predict


def imported(kind: str) -> None:
    """Import the library of a kind of model; one thread."""
    if kind != "graph":
        import ai_edge_litert.interpreter  # noqa: F401

        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.constant(0.0)


def ready(
    kind: str, path: str, videos: int = 0, case: str | None = None
) -> tuple[Callable[[], object], dict[str, Any]]:
    """A model that predicts some videos, one by one; with a case, the model is written instead."""
    if case:
        return lambda: None, export(case, kind, path)
    imported(kind)
    about: dict[str, Any] = {"without": compare.peak()}
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (videos, 1, FRAMES, WIDTH), np.uint8)
    counts = rng.integers(120, FRAMES + 1, (videos, 1)).astype(np.int32)
    began = time.perf_counter()
    predict = predictor(kind, path)
    predict(frames[0], counts[0])
    about["load"] = time.perf_counter() - began
    about["out"] = [predict(*video)[0].tolist() for video in zip(frames[:2], counts[:2])]
    return lambda: [predict(*video) for video in zip(frames, counts)], about


def rows_of(case: str, folder: Path, options: Any) -> list[Row]:
    """The rows of a case."""
    paths = {kind: str(folder / f"{case.replace('/', '_')}.{kind}") for kind in KINDS}
    written = {}
    for kind, path in paths.items():
        way = compare.Way({"kind": kind, "path": path, "case": case})
        written[kind] = way.about
        way.end()
    ways = {k: compare.Way({"kind": k, "path": paths[k], "videos": options.videos}) for k in KINDS}
    about = {kind: way.about for kind, way in ways.items()}
    taken = compare.turns(ways, options.repeats)
    off = {k: np.abs(np.subtract(about["graph"]["out"], about[k]["out"])).max() for k in KINDS}
    return [
        {
            "member": case if kind == "graph" else "",
            "weights": f"{written[kind]['weights'] / 1e6:.0f} M" if kind == "graph" else "",
            "model": KINDS[kind],
            "MB": f"{written[kind]['bytes'] / 1e6:.1f}",
            "bytes": f"{written[kind]['bytes'] / written['graph']['bytes'] - 1:+.1%}",
            "written in s": f"{written[kind]['seconds']:.1f}",
            "load s": f"{about[kind]['load']:.2f}",
            "peak GiB": f"{max(turn.peak for turn in taken[kind]):.2f}",
            "without a model": f"{about[kind]['without']:.2f}",
            "CPU ms a video": compare.spread([1e3 * turn.cpu / options.videos for turn in taken[kind]]),
            "times less CPU": compare.against(taken["graph"], taken[kind])["times less CPU"],
            "max off": "" if kind == "graph" else f"{off[kind]:.0e}",
        }
        for kind in KINDS
    ]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--folder", type=Path, help="where models lie meanwhile; default: the system's")
    parser.add_argument("--videos", type=int, default=10)
    options = compare.options(parser, ready)
    rows: list[Row] = []
    for case in options.cases.split(","):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows += rows_of(case, Path(folder), options)
            print(json.dumps(rows[-3:]), flush=True)
    docs_tables.show("litert", markdown(rows), options.write)


if __name__ == "__main__":
    main()
