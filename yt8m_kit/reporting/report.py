"""Report of a recipe's runs as a table: scores, sizes, speeds."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.tables import MIB, Row, markdown, plain
from yt8m_kit.pipeline.job import read_or_warn
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Member
from yt8m_kit.run import Experiment
from yt8m_kit.training.log import read_rows


def report(experiment: Experiment, *, split: str = "validate", as_markdown: bool = False) -> str:
    """Format a row for each evaluated member and ensemble: scores on a split, sizes, speed, board.

    Figures of damaged files are left out, and the files named on stderr. Raises UsageError if nothing was
    evaluated on the split.
    """
    recipe, stages = experiment.recipe, Stages(experiment)
    rows = [_row(stages, name, split) for name in (*recipe.members, *recipe.ensembles)]
    rows = [row for row in rows if row["GAP@20"]]
    if not rows:
        raise UsageError(
            f"nothing of recipe {recipe.name} was evaluated on {split} in {experiment.runs}; "
            f"run: yt8m evaluate {recipe.name} NAME --split={split}"
        )
    return (markdown if as_markdown else plain)(rows)


def _row(stages: Stages, name: str, split: str) -> Row:
    is_member = name in stages.recipe.members
    weights = read_or_warn(stages.weight_scores(name, split)) if is_member else {}
    blend = {} if is_member else read_or_warn(stages.ensemble(name))
    graph = read_or_warn(stages.graph_scores(name, split))
    exported = read_or_warn(stages.export(name), stages.experiment.run(name).export)
    board = read_or_warn(stages.submit(name))
    rows = _training_rows(stages, name) if is_member else []
    scores = weights or graph
    parameters = _parameters(stages, [name] if is_member else _blended(blend), split)
    whole = weights.get("gap", blend.get("validation_gap") if split == "validate" else None)
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
        "trained videos/s": _figure(_training_rate(rows), 0),
        "epoch s": _figure(_epoch_seconds(stages.recipe.members.get(name), rows), 1),
        "predicted videos/s": _figure((graph or weights).get("videos_per_second"), 0),
        "board public": _figure(board.get("public")),
        "board private": _figure(board.get("private")),
    }


def _blended(blend: Mapping[str, Any]) -> list[str]:
    """Members that a blend contains: those of weight 0 are not in its graph."""
    return [name for name, weight in blend.get("weights", {}).items() if weight > 0]


def _parameters(stages: Stages, members: Sequence[str], split: str) -> int | None:
    known = [read_or_warn(stages.weight_scores(each, split)).get("parameters_saved") for each in members]
    return sum(filter(None, known)) if known and None not in known else None


def _training_rows(stages: Stages, name: str) -> list[dict[str, Any]]:
    """Read the rows of a training log; empty, with a message, if they end before the last step."""
    metrics = stages.experiment.run(name).metrics
    rows = read_rows(metrics, "checkpoints")
    try:
        record = stages.train(name).made()
    except KitError as error:
        progress.say(str(error))
        record = None
    steps = record.figures.get("steps") if record and metrics.exists() else None
    if steps is not None and steps != (rows[-1]["step"] if rows else 0):
        progress.say(f"{metrics} is damaged: its last row is not of step {steps}.")
        return []
    return rows


def _training_rate(rows: list[dict[str, Any]]) -> float | None:
    """Median videos per second between the rows of metrics.jsonl; the first one includes compilation."""
    rates = [row["videos_per_second"] for row in rows if "videos_per_second" in row]
    return median(rates[1:]) if len(rates) > 1 else None


def _epoch_seconds(member: Member | None, rows: list[dict[str, Any]]) -> float | None:
    """Seconds of an epoch at the median rate; None if epochs do not determine the length."""
    rate = _training_rate(rows)
    if rate is None or member is None or member.epochs is None or member.patience:
        return None
    return float(max(row["step"] for row in rows) * member.batch_size / member.epochs / rate)


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
