"""What each technique reached: mean and spread over seeds of the runs of submissions/techniques.py.

    python -m benchmarks.training.techniques [--runs runs] [--write]

After make results RECIPE=techniques DATA=FOLDER, which leaves the scores under RUNS/techniques.
"""

import json
import os
import re
from pathlib import Path

import numpy as np

from benchmarks.harness import docs_tables
from yt8m_kit import recipe as recipes
from yt8m_kit.output.tables import Row, markdown


def figures(run: Path) -> dict[str, float] | None:
    """Scores of the float weights, or of the graph where there are no weights of that name."""
    for kind in ("weights", "graph"):
        path = run / f"validate.{kind}.json"
        if path.exists():
            return json.loads(path.read_text())
    return None


def row(technique: str, scores: list[dict[str, float]]) -> Row:
    """Mean over seeds, and the difference of the best seed and the worst."""
    found: Row = {"technique": technique, "seeds": len(scores)}
    for key, title in (("gap", "GAP@20"), ("map", "mAP"), ("hit1", "Hit@1")):
        values = [each[key] for each in scores]
        found[title] = f"{np.mean(values):.4f}"
        found[f"{title} spread"] = f"{np.ptp(values):.4f}" if len(values) > 1 else None
    return found


def main() -> None:
    """Print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--runs", type=Path, default=os.environ.get("YT8M_RUNS", "runs"))
    options = parser.parse_args()
    recipe = recipes.load("techniques")
    found: dict[str, list[dict[str, float]]] = {}
    for name in [*recipe.members, *recipe.ensembles]:
        scores = figures(options.runs / "techniques" / name)
        if scores:
            found.setdefault(re.sub(r"_\d$", "", name), []).append(scores)
    if not found:
        print(f"nothing of techniques was evaluated in {options.runs}: nothing to show")
        return
    docs_tables.show(
        "techniques", markdown([row(name, scores) for name, scores in found.items()]), options.write
    )


if __name__ == "__main__":
    main()
