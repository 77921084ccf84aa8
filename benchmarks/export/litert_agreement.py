"""Agreement of LiteRT models with float models on real records, and GAP@20.

    python -m benchmarks.export.litert_agreement [--recipe audioset] [--members A,B] [--videos 200]
        [--data FOLDER] [--runs runs] [--write]

Of members that were trained and averaged, on the first videos of the validation split. Overlap: the share of
the float model's 20 most probable labels that are among the LiteRT model's. "Same order": of pairs of these
labels, the share that both put in the same order.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.harness import (
    docs_tables,
    quiet,  # noqa: F401
    trained,
)
from yt8m_kit import models
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.export.export import encoded
from yt8m_kit.export.litert.model_file import write_litert
from yt8m_kit.inference.member_model import averaged_model
from yt8m_kit.metrics import gap_at_20, top
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.run import Experiment


def both(experiment: Experiment, name: str, batch: Batch, path: Path, bits: int) -> tuple[Any, Any]:
    """Probabilities of a member, by the float model and by LiteRT."""
    dataset, member = experiment.recipe.dataset, experiment.recipe.member(name)
    model = averaged_model(experiment, name)
    formats = {variable.path: "float32" for variable in model.variables}
    outline = models.outline(member.family, dataset, **member.hyperparameters)
    labels = [str(number) for number in range(dataset.classes)]
    write_litert(dataset, [encoded(model, outline, 1.0, formats, {})], 1, name, labels, path, bits)
    run = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
    videos = zip(batch.frames[:, None], batch.num_frames[:, None])
    found = [run(frames=frames, num_frames=counts)["probabilities"][0].copy() for frames, counts in videos]
    inputs = {"frames": batch.frames, "num_frames": batch.num_frames}
    return np.asarray(model(inputs, training=False)), np.asarray(found)


def same_order(exact: Any, found: Any) -> float:
    """Of pairs of the exact model's best labels, the share that both put in the same order."""
    best = top(exact)[0]
    ours = np.take_along_axis(found, best, axis=1)
    before = np.triu_indices(best.shape[1], 1)
    return float(np.mean(ours[:, before[0]] >= ours[:, before[1]]))


def overlap(exact: Any, found: Any) -> float:
    """Share of the exact model's best labels that are among the other's."""
    pairs = zip(top(exact)[0], top(found)[0])
    return float(np.mean([np.isin(own, other).mean() for own, other in pairs]))


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    trained.add_options(parser)
    parser.add_argument("--videos", type=int, default=200)
    options = parser.parse_args()
    experiment, names = trained.found(options)
    recipe = experiment.recipe
    batch = next(read_batches(splits.find(options.data, "validate"), recipe.dataset, options.videos))
    rows: list[Row] = []
    for name in names:
        for bits in (8, 4):
            with tempfile.TemporaryDirectory() as folder:
                exact, found = both(experiment, name, batch, Path(folder) / "graph.tflite", bits)
            gaps = [gap_at_20(each, batch.labels) for each in (exact, found)]
            rows.append(
                {
                    "member": name if bits == 8 else "",
                    "GAP@20": f"{gaps[0]:.4f}" if bits == 8 else "",
                    "bits": bits,
                    "LiteRT": f"{gaps[1]:.4f}",
                    "lost": f"{gaps[0] - gaps[1]:+.4f}",
                    "overlap of the top 20": f"{overlap(exact, found):.2%}",
                    "same order": f"{same_order(exact, found):.2%}",
                    "max off": f"{np.abs(exact - found).max():.4f}",
                }
            )
    docs_tables.show("litert_agreement", markdown(rows), options.write)


if __name__ == "__main__":
    main()
