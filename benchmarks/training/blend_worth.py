"""What each member is worth in a blend: scores of every set of members, with equal weights.

    python -m benchmarks.training.blend_worth RECIPE [NAME ...] [--data DATA] [--runs runs] [--write]

After `yt8m evaluate RECIPE NAME` of each, which leaves the probabilities of the validation split.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import docs_tables
from yt8m_kit import metrics
from yt8m_kit import recipe as recipes
from yt8m_kit.codecs.formats import codec_bytes
from yt8m_kit.evaluation.probabilities import read_probabilities
from yt8m_kit.models import weights
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Experiment

CODEC = "uint8"
Read = Mapping[str, NDArray[np.float32]]  # probabilities (N, C) of each member


def megabytes(recipe: Recipe, name: str) -> float:
    """Of a member's weights as 8-bit codes."""
    member = recipe.members[name]
    return codec_bytes(CODEC, weights(member.family, recipe.dataset, **member.hyperparameters)) / 1e6


def rows(recipe: Recipe, read: Read, truth_NC: NDArray[np.bool_]) -> list[Row]:
    """A row of each set of members, the smallest sets first."""
    sets = (chosen for size in range(1, len(read) + 1) for chosen in itertools.combinations(read, size))
    found = []
    for members in sets:
        mean_NC = np.mean([read[name] for name in members], axis=0)
        found.append(
            {
                "members": ", ".join(members),
                "MB as 8-bit codes": f"{sum(megabytes(recipe, name) for name in members):.2f}",
                "GAP@20": f"{metrics.gap_at_20(mean_NC, truth_NC):.4f}",
                "mAP": f"{metrics.mean_average_precision(mean_NC, truth_NC):.4f}",
            }
        )
    return found


def read_all(stages: Stages, names: Sequence[str]) -> tuple[Read, NDArray[np.bool_]]:
    """Probabilities of members on the validation split, and the truth; all are of the same videos."""
    found = {name: read_probabilities(stages, name, "validate") for name in names}
    first_ids, _, truth = next(iter(found.values()))
    for name, (ids, *_) in found.items():
        if not np.array_equal(ids, first_ids):
            raise SystemExit(f"{name} was evaluated on other videos than {names[0]}.")
    return {name: probabilities for name, (_, probabilities, _) in found.items()}, truth


def main() -> None:
    """Print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("recipe")
    parser.add_argument("names", nargs="*", help="members; all, if none is given")
    parser.add_argument("--data", type=Path, default=os.environ.get("YT8M_DATA", "data"))
    parser.add_argument("--runs", type=Path, default=os.environ.get("YT8M_RUNS", "runs"))
    options = parser.parse_args()
    recipe = recipes.load(options.recipe)
    stages = Stages(Experiment(recipe, options.data, options.runs))
    table = rows(recipe, *read_all(stages, options.names or [*recipe.members]))
    docs_tables.show("blend_worth", markdown(table), options.write)


if __name__ == "__main__":
    main()
