"""The stage graph of a recipe as a table: missing, running, unfinished, up to date, or stale and why."""

from collections.abc import Sequence
from textwrap import wrap

from yt8m_kit.errors import KitError
from yt8m_kit.output.progress import amount, duration
from yt8m_kit.output.tables import Row, plain
from yt8m_kit.pipeline.engines.activity import at_work
from yt8m_kit.pipeline.goals import last_stages
from yt8m_kit.pipeline.job import figures_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection, State
from yt8m_kit.run import Experiment

COLUMNS = 100
FIGURES = 2  # shown in a row
WIDTH = 30  # characters of figures, so that a row fits into COLUMNS


def status(experiment: Experiment, names: Sequence[str] = ()) -> str:
    """Format a row for each stage in order, with the reasons below those that are stale."""
    stages = Stages(experiment)
    last = last_stages(stages, names, ("evaluate", "predict" if experiment.trial else "submit"))
    inspection = Inspection()
    rows, reasons = [], []
    for stage in stages.leading_to(last):
        row, why = _row(stage, inspection)
        rows.append(row)
        reasons.append(why)
    lines = plain(rows).splitlines()
    below = [[line, *_indented(why)] for line, why in zip(lines[1:], reasons)]
    return "\n".join([lines[0], *(line for group in below for line in group)]) + "\n"


def _indented(reasons: Sequence[str]) -> list[str]:
    return [
        line
        for reason in reasons
        for line in wrap(reason, COLUMNS, initial_indent=" " * 4, subsequent_indent=" " * 8)
    ]


def _row(stage: Stage, inspection: Inspection) -> tuple[Row, list[str]]:
    try:
        state = inspection.state(stage)
    except KitError as error:
        state = State("stale", (str(error),))
    running = at_work(stage)
    row: Row = {
        "stage": " ".join((stage.verb, *stage.words[2:])),
        "state": "running" if running else state.kind,
    }
    record = state.record
    row["figures"] = ", ".join(figures_of(record)[:FIGURES])[:WIDTH] if record else ""
    row["made"] = record.local_time[len("2026-") :] if record else ""
    row["took"] = duration(record.seconds) if record else ""
    row["size"] = amount(record.size) if record else ""
    return row, running or [f"because {reason}" for reason in state.reasons]
