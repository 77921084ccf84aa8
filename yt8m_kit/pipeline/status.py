"""The stage graph of a recipe as a table: missing, running, unfinished, up to date, or stale and why."""

from collections.abc import Iterator, Sequence

from yt8m_kit.errors import KitError
from yt8m_kit.output.facts import Table
from yt8m_kit.output.progress import amount, duration
from yt8m_kit.output.tables import Row
from yt8m_kit.pipeline.engines.activity import at_work
from yt8m_kit.pipeline.goals import last_stages
from yt8m_kit.pipeline.job import figures_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection, State
from yt8m_kit.run import Experiment

FIGURES = 2  # shown in a row
WIDTH = 30  # characters of figures
IMPORTANT = ("stage", "state", "took", "made", "size")
COLOURS = {
    **{"up to date": "green", "running": "cyan", "unfinished": "cyan"},
    **{"stale": "yellow", "damaged": "red", "missing": "dim"},
}


def status(experiment: Experiment, names: Sequence[str] = ()) -> Table:
    """A row for each stage in order, with the reasons below those that are stale."""
    rows, reasons = [], []
    for stage, state, running in _states(experiment, names):
        rows.append(_row(stage, state, is_running=bool(running)))
        reasons.append(running or [f"because {reason}" for reason in state.reasons])
    return Table(rows, first=IMPORTANT, notes=reasons, colours=COLOURS)


def status_facts(experiment: Experiment, names: Sequence[str] = ()) -> Table:
    """The same for programs: seconds, bytes and figures as numbers, times in UTC (ISO 8601)."""
    return Table([_facts(*found) for found in _states(experiment, names)])


def _states(experiment: Experiment, names: Sequence[str]) -> Iterator[tuple[Stage, State, list[str]]]:
    """Each stage with its state and, if it is running, who runs it."""
    stages, inspection = Stages(experiment), Inspection()
    last = last_stages(stages, names, ("evaluate", "predict" if experiment.trial else "submit"))
    for stage in stages.leading_to(last):
        try:
            state = inspection.state(stage)
        except KitError as error:
            state = State("stale", (str(error),))
        yield stage, state, at_work(stage)


def _row(stage: Stage, state: State, *, is_running: bool) -> Row:
    record = state.record
    return {
        "stage": " ".join((stage.verb, *stage.words[2:])),
        "state": "running" if is_running else state.kind,
        "figures": ", ".join(figures_of(record)[:FIGURES])[:WIDTH] if record else "",
        "made": record.local_time[len("2026-") :] if record else "",
        "took": duration(record.seconds) if record else "",
        "size": amount(record.size) if record else "",
    }


def _facts(stage: Stage, state: State, running: list[str]) -> Row:
    record = state.record
    return {
        "stage": " ".join((stage.verb, *stage.words[2:])),
        "state": "running" if running else state.kind,
        "product": str(stage.main),
        "figures": record.figures if record else {},
        "made": record.made if record else None,
        "seconds": record.seconds if record else None,
        "bytes": record.size if record else None,
        "reasons": running or list(state.reasons),
    }
