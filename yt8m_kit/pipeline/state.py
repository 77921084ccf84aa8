"""State of a stage's product: missing, unfinished, up to date, stale or damaged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.digest import digest, stamp
from yt8m_kit.output.provenance import Record, changes, read_record
from yt8m_kit.pipeline.stage import Stage

Kind = Literal["missing", "unfinished", "up to date", "stale", "damaged"]
NO_RECORD = "there is no record of its sources"


@dataclass(frozen=True)
class State:
    """State of a product.

    reasons: why it is stale or damaged, or why an interrupted attempt cannot be resumed. cause: the first
    reason with the product that it is about, which may be one that this product depends on.
    """

    kind: Kind
    reasons: tuple[str, ...] = ()
    record: Record | None = None
    cause: str = ""


class Inspection:
    """Inspects stages and all that they need, each once.

    verb: the stage that is about to run; None to inspect the whole graph. Inputs of a verb may have been made
    from other records than it reads itself, unless they share a split, and missing inputs of inputs are not
    compared: a graph is usable without its members, on any records. Products of a stale product are stale.
    Contents are read only if a file's size or modification time differs from its record.
    """

    def __init__(self, verb: Stage | None = None):
        self._verb = verb
        self._known: dict[Path, State] = {}

    def _splits(self, stage: Stage) -> set[str]:
        """Splits whose shards are compared."""
        if self._verb is None or stage.main == self._verb.main:
            return set(stage.reads)
        return set(self._verb.shared)

    def state(self, stage: Stage) -> State:
        """Return the state of a stage's product. Raises KitError for a damaged record."""
        if stage.main not in self._known:
            self._known[stage.main] = self._look(stage)
        return self._known[stage.main]

    def _look(self, stage: Stage) -> State:
        if not stage.main.exists():
            return (
                State("unfinished", tuple(attempt_changes(stage)))
                if is_interrupted(stage)
                else State("missing")
            )
        record = stage.made()
        if record is None:
            return _bad(stage, "stale", [NO_RECORD], None)
        if damage := files_changed(stage, record):
            return _bad(stage, "damaged", damage, record)
        inherited = list(dict.fromkeys(self._needs_changed(stage)))
        reasons = changes(record.sources, stage.sources(), self._splits(stage))
        if inherited:
            return State("stale", (*inherited, *reasons), record, inherited[0])
        return _bad(stage, "stale", reasons, record) if reasons else State("up to date", record=record)

    def _needs_changed(self, stage: Stage) -> list[str]:
        """Reasons why a stage's inputs are stale, damaged or, for the whole graph, missing."""
        found = []
        for need in stage.needs:
            state = self.state(need)
            if state.kind in ("stale", "damaged"):
                found.append(state.cause)
            elif state.kind != "up to date" and self._verb is None:
                found.append(f"{need.title} is {state.kind}")
        return found

    def check_needs(self, stage: Stage) -> None:
        """Raise UsageError if an input of a stage is missing or stale, KitError if one is damaged."""
        for need in stage.needs:
            state = self.state(need)
            if state.kind in ("stale", "damaged"):
                self.check_needs(need)
                raise refusal(need, state, f"Run: {need.command} --anew")
            if state.kind != "up to date":
                raise UsageError(f"{need.main} is missing; run: {need.command}")


def _bad(stage: Stage, kind: Kind, reasons: list[str], record: Record | None) -> State:
    return State(kind, tuple(reasons), record, f"{stage.title} is {kind}: {reasons[0]}")


def refusal(stage: Stage, state: State, remedy: str) -> KitError:
    """Return the error for a stale (UsageError) or damaged (KitError) product."""
    kind = UsageError if state.kind == "stale" else KitError
    return kind(f"{stage.main} is {state.kind}: {state.reasons[0]}. {remedy}")


def files_changed(stage: Stage, record: Record) -> list[str]:
    """List a product's files that are missing or differ from its record."""
    found = []
    for name, (known, at) in record.files.items():
        file = stage.run.path / name
        if not file.exists():
            found.append(f"{name} is missing")
        elif stamp(file) != at and digest(file) != known:
            found.append(f"{name} differs from its record")
    return found


def is_interrupted(stage: Stage) -> bool:
    """Whether an interrupted attempt left files to resume from."""
    return any(partial.exists() for partial in stage.partials)


def attempt_changes(stage: Stage) -> list[str]:
    """List how the sources differ from those that an interrupted attempt started with."""
    record = read_record(attempt_record(stage))
    if record is None:
        return [NO_RECORD]
    return changes(record.sources, stage.sources())


def attempt_record(stage: Stage) -> Path:
    """Path of the record of the sources that an unfinished product was started with."""
    return stage.record.with_suffix(".begun.json")
