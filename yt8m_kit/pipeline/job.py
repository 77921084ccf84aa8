"""An attempt at a stage: locked run, checked sources, and an atomic write of product and record."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from yt8m_kit import __version__
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.machine import device
from yt8m_kit.output import progress
from yt8m_kit.output.digest import digest
from yt8m_kit.output.files import replacing, replacing_folder
from yt8m_kit.output.provenance import Record, file_entry, now, pending, write_record
from yt8m_kit.pipeline.effort import environment, spent
from yt8m_kit.pipeline.messages.ending import summarize
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import Inspection, attempt_changes, attempt_record, is_interrupted, refusal

# Verbs that compute for long, whose device is reported.
COMPUTING = ("train", "average", "distill", "evaluate", "predict", "quantize", "segments")
FIGURES = 3  # shown after "up to date"


class Job:
    """An attempt at a stage whose run this process holds.

    is_done: the product exists and is up to date. figures: results, kept in the record.
    """

    def __init__(self, stage: Stage, is_done: bool):
        self.stage, self.is_done, self.sources = stage, is_done, stage.sources()
        self.figures: dict[str, Any] = {}
        self._began, self._before = time.monotonic(), spent()

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Yield a temporary path for the main file; then rename it and write the record of its sources.

        Side files must exist by then. Atomic: after a kill at any point there is either the old product with
        its record, or the new one with its own.
        """
        is_folder = self.stage.main in (self.stage.run.graph,)
        with (replacing_folder if is_folder else replacing)(self.stage.main) as temporary:
            yield temporary
            self._note(temporary)
        _settle(self.stage)
        summarize(self.stage)

    def _note(self, temporary: Path) -> None:
        """Write the pending record of a product whose main file still has its temporary name."""
        run = self.stage.run.path
        paths = {self.stage.main: temporary} | {side: side for side in self.stage.sides if side.exists()}
        files = {file.relative_to(run).as_posix(): file_entry(at) for file, at in paths.items()}
        seconds = round(time.monotonic() - self._began, 1)
        effort = spent().since(self._before)
        record = Record(
            self.sources, files, self.figures, now(), seconds, __version__, *effort, environment()
        )
        write_record(pending(self.stage.record), record)


@contextmanager
def working(stage: Stage, *, anew: bool = False) -> Iterator[Job]:
    """Attempt a stage: lock its run, check its inputs and any existing product.

    anew: move existing files to old/ first. Raises UsageError if another process holds the run, if an input
    is missing or stale, or if a product or an interrupted attempt has other sources; KitError if an input or
    the product is damaged.
    """
    Inspection(stage).check_needs(stage)
    with stage.run.alone(stage.words):
        _settle(stage)
        if anew:
            put_aside(stage)
        is_done = stage.main.exists()
        if is_done:
            _check_current(stage)
        elif is_interrupted(stage):
            check_resumable(stage)
        elif stage.partials:
            write_record(attempt_record(stage), Record(stage.sources(), made=now(), kit=__version__))
        if not is_done and stage.verb in COMPUTING and not stage.only_formats:
            for line in device.report():
                progress.say(line)
        yield Job(stage, is_done)


def adopt(stage: Stage) -> None:
    """Write the record, with current sources, of a product that was not made by its verb."""
    files = {file.relative_to(stage.run.path).as_posix(): file_entry(file) for file in stage.files}
    write_record(stage.record, Record(stage.sources(), files, made=now(), kit=__version__))


def _check_current(stage: Stage) -> None:
    state = Inspection(stage).state(stage)
    if state.kind != "up to date":
        raise refusal(stage, state, _remedy(stage))
    assert state.record is not None
    figures = ", ".join(figures_of(state.record)[:FIGURES])
    progress.say(f"up to date: {stage.main}, made {state.record.local_time}{': ' * bool(figures)}{figures}")


def check_resumable(stage: Stage) -> None:
    """Raise UsageError if an interrupted attempt had other sources, KitError for a damaged record of it."""
    reasons = attempt_changes(stage)
    if reasons:
        raise UsageError(f"cannot resume {stage.main} from other sources: {reasons[0]}. {_remedy(stage)}")


def _remedy(stage: Stage) -> str:
    return f"Revert the change, or make it again (old files are moved to old/): {stage.command} --anew"


def figures_of(record: Record) -> list[str]:
    """Format a record's figures, one phrase each."""
    return [f"{name} {_figure(value)}" for name, value in record.figures.items() if value is not None]


def _figure(value: Any) -> str:
    return (
        f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def put_aside(stage: Stage) -> None:
    """Move a product, files of an interrupted attempt, and their records to old/DATE of the run.

    The main file is moved last, so that a stale product is still recognized after an interrupted move.
    """
    run = stage.run.path
    aside = run / "old" / datetime.now().strftime("%Y-%m-%dT%H-%M-%S.%f")
    for path in (*stage.partials, attempt_record(stage), stage.record, *reversed(stage.files)):
        if path.exists():
            target = aside / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
    if aside.exists():
        progress.say(f"moved old files to {aside}")


def _settle(stage: Stage) -> None:
    """Promote the pending record of a product that has its final name; delete any other pending record."""
    if stage.is_pending():
        os.replace(pending(stage.record), stage.record)
    else:
        pending(stage.record).unlink(missing_ok=True)


def verified(stage: Stage, file: Path | None = None) -> Path:
    """Return the product's main file (or a side file) after comparing its content with its record.

    Raises KitError if it is damaged, UsageError if it is missing; both with the command to run.
    """
    file = file or stage.main
    record = stage.made()
    name = file.relative_to(stage.run.path).as_posix()
    if record is None or name not in record.files or not file.exists():
        raise UsageError(f"{file} is missing; run: {stage.command}")
    if digest(file) != record.files[name][0]:
        raise KitError(f"{file} is damaged: its SHA-256 differs from its record. Run: {stage.command} --anew")
    return file


def read_or_warn(stage: Stage, file: Path | None = None) -> dict[str, Any]:
    """Read the JSON object of a product's file; empty if missing or, with a message, if damaged.

    A file without a record is read unchecked.
    """
    file = file or stage.main
    if not file.exists():
        return {}
    try:
        if stage.made() is not None:
            verified(stage, file)
        found = stage.run.read(file)
        if isinstance(found, dict):
            return found
        raise KitError(f"{file} is damaged: it is not a JSON object. Run: {stage.command} --anew")
    except KitError as error:
        progress.say(str(error))
        return {}


def csv_of(stage: Stage) -> Path:
    """Return a prediction's CSV if it is up to date or, with a message, has no record of its sources.

    Raises UsageError if it is missing or stale, KitError if it is damaged.
    """
    if stage.main.exists() and stage.made() is None:
        progress.say(f"there is no record of the sources of {stage.main}")
        return stage.main
    return current(stage)


def current(stage: Stage) -> Path:
    """Return the main file of a product that is up to date.

    Raises UsageError if it is missing or stale, KitError if it is damaged.
    """
    state = Inspection(stage).state(stage)
    if state.kind in ("stale", "damaged"):
        raise refusal(stage, state, _remedy(stage))
    return verified(stage)
