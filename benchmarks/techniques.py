"""What each technique reached: mean and spread over seeds of the runs of submissions/techniques.py.

python benchmarks/techniques.py [RUNS]  after  make results RECIPE=techniques DATA=FOLDER, which leaves the
scores under RUNS/techniques (default: runs). Prints a Markdown table.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

from yt8m_kit import recipe as recipes
from yt8m_kit.table import markdown


def figures(run: Path) -> dict[str, float] | None:
    """Scores of the float weights, or of the graph where there are no weights of that name."""
    for kind in ("weights", "graph"):
        path = run / f"validate.{kind}.json"
        if path.exists():
            return json.loads(path.read_text())
    return None


def main() -> None:
    """Print the table."""
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs") / "techniques"
    recipe = recipes.load("techniques")
    found: dict[str, list[dict[str, float]]] = {}
    for name in [*recipe.members, *recipe.ensembles]:
        scores = figures(runs / name)
        if scores:
            found.setdefault(re.sub(r"_\d$", "", name), []).append(scores)
    rows = []
    for technique, scores in found.items():
        row = {"technique": technique, "seeds": len(scores)}
        for key, title in (("gap", "GAP@20"), ("map", "mAP"), ("hit1", "Hit@1")):
            values = [each[key] for each in scores]
            row[title] = f"{np.mean(values):.4f}"
            row[f"{title} spread"] = f"{np.ptp(values):.4f}"
        rows.append(row)
    print(markdown(rows), end="")


if __name__ == "__main__":
    main()
