"""Report of a recipe's runs as a table: scores, sizes, speeds."""

from pathlib import Path
from statistics import median
from typing import Any

from yt8m_kit.errors import UsageError
from yt8m_kit.output.tables import MIB, Row, markdown, plain
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Experiment, Run
from yt8m_kit.training.log import read_rows


def report(experiment: Experiment, *, split: str = "validate", as_markdown: bool = False) -> str:
    """One row for each member and ensemble with something to show: scores on a split, sizes, board."""
    recipe = experiment.recipe
    names = [*recipe.members, *recipe.ensembles]
    rows = [_row(recipe, name, experiment.run(name), split) for name in names]
    rows = [row for row in rows if row["GAP@20"]]
    if not rows:
        raise UsageError(
            f"nothing of recipe {recipe.name} was evaluated on {split} in {experiment.runs} yet."
        )
    return (markdown if as_markdown else plain)(rows)


def _row(recipe: Recipe, name: str, run: Run, split: str) -> Row:
    weights = _read(run, run.evaluation(split, "weights"))
    blend = _read(run, run.ensemble) if split == "validate" else {}
    graph = _read(run, run.evaluation(split, "graph"))
    exported = _read(run, run.export)
    board = _read(run, run.score)
    scores = weights or graph
    parameters = _parameters(recipe, name, run, split)
    whole = weights.get("gap", blend.get("validation_gap"))
    lost = whole - graph["gap"] if whole and graph else None
    return {
        "name": name,
        "family": weights.get("family", "blend"),
        "parameters": parameters,
        "GAP@20": _figure(scores.get("gap")),
        "mAP": _figure(scores.get("map")),
        "Hit@1": _figure(scores.get("hit1")),
        "PERR": _figure(scores.get("perr")),
        "float32 MiB": _figure(parameters and parameters * 4 / MIB, 2),
        "exported MiB": _figure(exported.get("bytes") and exported["bytes"] / MIB, 2),
        "GAP lost": _figure(lost, 5),
        "trained videos/s": _figure(_training_rate(run), 0),
        "epoch s": _figure(_epoch_seconds(recipe, name, run), 1),
        "predicted videos/s": _figure((graph or weights).get("videos_per_second"), 0),
        "board public": _figure(board.get("public")),
        "board private": _figure(board.get("private")),
    }


def _parameters(recipe: Recipe, name: str, run: Run, split: str) -> int | None:
    folder = run.path.parent
    runs = [Run(folder / member) for member in recipe.ensemble(name).members]
    known = [_read(each, each.evaluation(split, "weights")).get("parameters_saved") for each in runs]
    return None if None in known else sum(filter(None, known))


def _training_rate(run: Run) -> float | None:
    """Median videos a second between the rows of metrics.jsonl; the first one holds the compilation."""
    rates = [
        row["videos_per_second"]
        for row in read_rows(run.metrics, "checkpoints")
        if "videos_per_second" in row
    ]
    return median(rates[1:]) if len(rates) > 1 else None


def _epoch_seconds(recipe: Recipe, name: str, run: Run) -> float | None:
    """Seconds of an epoch at the median rate; None if epochs do not determine the length."""
    member, rate = recipe.members.get(name), _training_rate(run)
    if rate is None or member is None or member.epochs is None or member.patience:
        return None
    steps = max(row["step"] for row in read_rows(run.metrics, "checkpoints"))
    return float(steps * member.batch_size / member.epochs / rate)


def _read(run: Run, path: Path) -> dict[str, Any]:
    return run.read(path) if path.exists() else {}


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
