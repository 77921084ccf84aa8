"""Whether a stage's product is there, and whether it is of the sources that it would be made from now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.digest import digest, stamp
from yt8m_kit.output.provenance import Record, changes, read_record
from yt8m_kit.pipeline.stage import Stage

Kind = Literal["missing", "unfinished", "up to date", "stale", "damaged"]


@dataclass(frozen=True)
class State:
    """kind: of the product. reasons: why it is stale, or why an interrupted attempt cannot be resumed.

    cause: the product that the first reason is about, which may be one that it comes from, and that reason.
    """

    kind: Kind
    reasons: tuple[str, ...] = ()
    record: Record | None = None
    cause: str = ""


class Inspection:
    """One look at stages and all that they need, each looked at once.

    verb: the stage that is to run alone, None for a look at the whole graph. A verb's products may come from
    other records than it reads itself, unless they share a split, and what is not there is not compared: a
    graph serves without its members, on any records. Whatever is made from a stale product is stale. Contents
    are read only where a file's size or time differs from what its record says.
    """

    def __init__(self, verb: Stage | None = None):
        self._verb = verb
        self._known: dict[Path, State] = {}

    def _splits(self, stage: Stage) -> set[str]:
        """Those whose shards are compared."""
        if self._verb is None or stage.main == self._verb.main:
            return set(stage.reads)
        return set(self._verb.shared)

    def state(self, stage: Stage) -> State:
        """The state of a stage's product. Raises KitError for a damaged record."""
        if stage.main not in self._known:
            self._known[stage.main] = self._look(stage)
        return self._known[stage.main]

    def _look(self, stage: Stage) -> State:
        if not stage.main.exists():
            return State("unfinished", tuple(begun_changed(stage))) if is_begun(stage) else State("missing")
        record = stage.made()
        if record is None:
            return _bad(stage, "stale", ["nothing is known of what it was made from"], None)
        if damage := files_changed(stage, record):
            return _bad(stage, "damaged", damage, record)
        inherited = list(dict.fromkeys(self._needs_changed(stage)))
        reasons = changes(record.sources, stage.sources(), self._splits(stage))
        if inherited:
            return State("stale", (*inherited, *reasons), record, inherited[0])
        return _bad(stage, "stale", reasons, record) if reasons else State("up to date", record=record)

    def _needs_changed(self, stage: Stage) -> list[str]:
        """Why the products that a stage is made from are not as they should be."""
        found = []
        for need in stage.needs:
            state = self.state(need)
            if state.kind in ("stale", "damaged"):
                found.append(state.cause)
            elif state.kind != "up to date" and self._verb is None:
                found.append(f"{need.title} is {state.kind}")
        return found

    def check_needs(self, stage: Stage) -> None:
        """Raise UsageError where what a stage is made from is missing or stale, naming what to run."""
        for need in stage.needs:
            state = self.state(need)
            if state.kind in ("stale", "damaged"):
                self.check_needs(need)
                raise refusal(need, state, f"Run: {need.command} --anew")
            if state.kind != "up to date":
                raise UsageError(f"{need.main} is not there; run: {need.command}")


def _bad(stage: Stage, kind: Kind, reasons: list[str], record: Record | None) -> State:
    return State(kind, tuple(reasons), record, f"{stage.title} is {kind}: {reasons[0]}")


def refusal(stage: Stage, state: State, way_out: str) -> KitError:
    """The error for a product that is stale (misuse) or damaged (a failure)."""
    kind = UsageError if state.kind == "stale" else KitError
    return kind(f"{stage.main} is {state.kind}: {state.reasons[0]}. {way_out}")


def files_changed(stage: Stage, record: Record) -> list[str]:
    """Which of a product's files are missing, or are not as they were made."""
    found = []
    for name, (known, at) in record.files.items():
        file = stage.run.path / name
        if not file.exists():
            found.append(f"{name} is missing")
        elif stamp(file) != at and digest(file) != known:
            found.append(f"{name} is not as it was made")
    return found


def is_begun(stage: Stage) -> bool:
    """Whether an interrupted attempt left something to resume from."""
    return any(partial.exists() for partial in stage.partials)


def begun_changed(stage: Stage) -> list[str]:
    """How the sources differ from those that an interrupted attempt began with."""
    record = read_record(begun_record(stage))
    if record is None:
        return ["nothing is known of what it was begun with"]
    return changes(record.sources, stage.sources())


def begun_record(stage: Stage) -> Path:
    """Where it is kept what an unfinished product was begun with."""
    return stage.record.with_suffix(".begun.json")
