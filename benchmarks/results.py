"""What a recipe's runs reached: the table of `yt8m report`, put into docs/results.md or the README.

    python -m benchmarks.results RECIPE [--only NAME,NAME ...] [--runs runs] [--write]

After make results RECIPE=RECIPE DATA=FOLDER, which leaves the scores under RUNS/RECIPE.
"""

import os
from pathlib import Path

from benchmarks.harness import docs_tables
from yt8m_kit import recipe as recipes
from yt8m_kit.errors import UsageError
from yt8m_kit.reporting.report import report
from yt8m_kit.run import Experiment

TITLES = 2  # lines above a table's rows


def chosen(table: str, names: list[str]) -> str:
    """The table's rows of these names."""
    lines = table.splitlines()
    rows = {line.split("|")[1].strip(): line for line in lines[TITLES:]}
    return "\n".join([*lines[:TITLES], *(rows[name] for name in names)])


def main() -> None:
    """Print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--only", help="the rows of these names alone")
    parser.add_argument("--runs", type=Path, default=os.environ.get("YT8M_RUNS", "runs"))
    options = parser.parse_args()
    try:
        table = report(Experiment(recipes.load(options.recipe), Path(), options.runs), as_markdown=True)
    except UsageError as error:
        print(f"results: skipped, {error}")
        return
    names = options.only.split(",") if options.only else []
    mark = f"results {options.recipe}" + " only" * bool(names)
    docs_tables.show(mark, chosen(table, names) if names else table, options.write)


if __name__ == "__main__":
    main()
