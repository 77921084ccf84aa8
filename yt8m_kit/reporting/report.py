"""Report of a recipe's runs as a table: scores, sizes, speeds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from statistics import median
from typing import Any

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.facts import Table, as_text
from yt8m_kit.output.tables import MIB, Row, markdown
from yt8m_kit.pipeline.job import read_or_warn
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection
from yt8m_kit.recipe import Member
from yt8m_kit.run import Experiment
from yt8m_kit.training.log import read_rows

# Digits of a column; whole numbers and texts have none.
DIGITS = {
    **dict.fromkeys(("GAP@20", "mAP", "Hit@1", "PERR", "board public", "board private"), 4),
    **dict.fromkeys(("top-1", "top-5", "mean error", "board error public", "board error private"), 4),
    **{"float32 MiB": 2, "exported MiB": 2, "GAP lost": 5},
    **{"trained videos/s": 0, "epoch s": 1, "predicted videos/s": 0},
}
IMPORTANT = (
    "name",
    "mean error",
    "GAP@20",
    "exported MiB",
    "GAP lost",
    "parameters",
    "predicted videos/s",
    "family",
)


def report(experiment: Experiment, *, split: str = "validate", as_markdown: bool = False) -> str:
    """Format a row for each evaluated member and ensemble: scores on a split, sizes, speed, board.

    Raises the errors of `figures`.
    """
    found = table(figures(experiment, split))
    return markdown(found.shown()) if as_markdown else as_text(found)


def table(rows: Sequence[Row]) -> Table:
    """Rows of `figures` with the digits of their columns, and the columns that a narrow terminal shows."""
    return Table(rows, digits=DIGITS, first=IMPORTANT, hidden=("stale",))


def figures(experiment: Experiment, split: str = "validate") -> list[Row]:
    """A row of numbers for each evaluated member and ensemble; None where a figure is not known.

    Figures of damaged files are left out, and the files named on stderr, as are rows whose scores are not of
    the recipe as it is now; `stale` is the reason. Raises UsageError if nothing was evaluated on the split.
    """
    recipe, stages = experiment.recipe, Stages(experiment)
    rows = [_row(stages, name, split) for name in (*recipe.members, *recipe.ensembles)]
    rows = [row for row in rows if row["GAP@20"] is not None]
    if not rows:
        raise UsageError(
            f"nothing of recipe {recipe.name} was evaluated on {split} in {experiment.runs}; "
            f"run: yt8m evaluate {recipe.name} NAME --split={split}"
        )
    if stale := [f"{row['name']} ({row['stale']})" for row in rows if row["stale"]]:
        progress.say(
            f"warning: scores of a recipe that has changed since: {'; '.join(stale)}. "
            f"Run: yt8m run {recipe.name} --to=evaluate"
        )
    return rows


def _row(stages: Stages, name: str, split: str) -> Row:
    is_member = name in stages.recipe.members
    weights = read_or_warn(stages.weight_scores(name, split)) if is_member else {}
    blend = {} if is_member else read_or_warn(stages.ensemble(name))
    graph = read_or_warn(stages.graph_scores(name, split))
    exported = read_or_warn(stages.export(name), stages.experiment.run(name).export)
    board = read_or_warn(stages.submit(name))
    rows = training_rows(stages, name) if is_member else []
    scores = weights or graph
    parameters = _parameters(stages, [name] if is_member else _blended(blend), split)
    whole = weights.get("gap", blend.get("validation_gap") if split == "validate" else None)
    return {
        "name": name,
        "family": weights.get("family", "blend"),
        "parameters": parameters,
        "GAP@20": scores.get("gap"),
        "mAP": scores.get("map"),
        "Hit@1": scores.get("hit1"),
        "PERR": scores.get("perr"),
        **(_single_label(scores, board) if stages.recipe.dataset.single_label else {}),
        "float32 MiB": parameters * 4 / MIB if parameters else None,
        "exported MiB": exported["bytes"] / MIB if exported.get("bytes") else None,
        "GAP lost": whole - graph["gap"] if whole and graph else None,
        "trained videos/s": _training_rate(rows),
        "epoch s": _epoch_seconds(stages.recipe.members.get(name), rows),
        "predicted videos/s": (graph or weights).get("videos_per_second"),
        "board public": board.get("public"),
        "board private": board.get("private"),
        "stale": _stale(stages, name, stages.weight_scores if weights else stages.graph_scores, split),
    }


def _single_label(scores: Row, board: Row) -> Row:
    """Columns of single-label data sets only."""
    return {
        "top-1": scores.get("top1"),
        "top-5": scores.get("top5"),
        "mean error": scores.get("mean_error"),
        "board error public": board.get("mean_error_public"),
        "board error private": board.get("mean_error_private"),
    }


def _stale(stages: Stages, name: str, scored: Callable[[str, str], Stage], split: str) -> str | None:
    """Why scores are not of the recipe as it is now; None if they are. Records are not compared."""
    with suppress(KitError):  # of a damaged record, which was named when it was read
        state = Inspection(stages.export(name)).state(scored(name, split))
        return state.reasons[0] if state.kind == "stale" else None
    return None


def _blended(blend: Mapping[str, Any]) -> list[str]:
    """Members that a blend contains: those of weight 0 are not in its graph."""
    return [name for name, weight in blend.get("weights", {}).items() if weight > 0]


def _parameters(stages: Stages, members: Sequence[str], split: str) -> int | None:
    known = [read_or_warn(stages.weight_scores(each, split)).get("parameters_saved") for each in members]
    return sum(filter(None, known)) if known and None not in known else None


def training_rows(stages: Stages, name: str) -> list[dict[str, Any]]:
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
