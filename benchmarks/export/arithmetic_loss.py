"""GAP@20 that bfloat16 products cost each member of a recipe, on the validation split.

    python -m benchmarks.export.arithmetic_loss [--recipe audioset] [--members A,B] [--data FOLDER]
        [--runs runs] [--write]

Of members that were trained and averaged, as graphs compute them, with weights as float32 and as uint8 codes.
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.harness import (
    docs_tables,
    quiet,  # noqa: F401
    trained,
)
from yt8m_kit import models
from yt8m_kit.codecs.encoding import decode
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.evaluation.validation import predictions
from yt8m_kit.export.blended_graph import PRECISION, Part, mixed
from yt8m_kit.export.export import encoded
from yt8m_kit.inference.member_model import averaged_model
from yt8m_kit.metrics import gap_at_20
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.quantization.sizes import stored
from yt8m_kit.run import Experiment


def part_of(experiment: Experiment, name: str, codec: str, arithmetic: str) -> Part:
    """A trained member with its weights in the codec's formats."""
    recipe, member = experiment.recipe, experiment.recipe.member(name)
    precision = PRECISION[arithmetic]
    outline = models.outline(member.family, recipe.dataset, precision=precision, **member.hyperparameters)
    formats = {tensor.path: tensor.format for tensor in stored(recipe, [name], codec)}
    return encoded(averaged_model(experiment, name), outline, 1.0, formats, {})


def gap(experiment: Experiment, name: str, codec: str, arithmetic: str) -> float:
    """GAP@20 of a member's graph."""
    part = part_of(experiment, name, codec, arithmetic)
    values = [tf.cast(decode(each), part.dtype(each)) for _, each in part.weights]

    @tf.function(reduce_retracing=True)
    def run(frames: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
        return mixed([part], [values], {"frames": frames, "num_frames": num_frames}, 1)

    def predict(batch: Batch) -> NDArray[np.float32]:
        return np.asarray(run(tf.constant(batch.frames), tf.constant(batch.num_frames)))

    paths = splits.find(experiment.data, "validate")
    _, probabilities, truth, _ = predictions(predict, experiment.recipe.dataset, paths, name, strict=False)
    return gap_at_20(probabilities, truth)


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    trained.add_options(parser)
    options = parser.parse_args()
    experiment, names = trained.found(options)
    if not names:
        print(f"arithmetic_loss: skipped, no averaged member of {options.recipe} is in {options.runs}")
        return
    rows: list[Row] = []
    for name in names:
        row: Row = {"member": name, "family": experiment.recipe.member(name).family}
        for codec in ("float32", "uint8"):
            exact, found = (gap(experiment, name, codec, each) for each in ("float32", "bfloat16"))
            row |= {
                f"GAP@20, {codec} weights": f"{exact:.5f}",
                f"lost, {codec} weights": f"{exact - found:+.5f}",
            }
        rows.append(row)
    docs_tables.show("arithmetic_loss", markdown(rows), options.write)


if __name__ == "__main__":
    main()
