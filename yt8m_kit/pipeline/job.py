"""One attempt at a stage: alone in its run, of known sources, finished atomically with a record of them."""

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
from yt8m_kit.output import progress
from yt8m_kit.output.digest import digest
from yt8m_kit.output.files import replacing, replacing_folder
from yt8m_kit.output.provenance import Record, file_entry, now, pending, write_record
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import Inspection, begun_changed, begun_record, is_begun, refusal

FIGURES = 3  # that "up to date" shows


class Job:
    """An attempt at a stage whose run this process holds.

    is_done: the product is there and up to date. figures: what the product reached, kept with its record.
    """

    def __init__(self, stage: Stage, is_done: bool):
        self.stage, self.is_done, self.sources = stage, is_done, stage.sources()
        self.figures: dict[str, Any] = {}
        self._began = time.monotonic()

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A temporary path for the main file; then it takes its name, with a record of its sources.

        Side files must be in place by then. Killed at any point, either the old product with its record is
        there, or the new one with its own.
        """
        is_folder = self.stage.main in (self.stage.run.graph,)
        with (replacing_folder if is_folder else replacing)(self.stage.main) as temporary:
            yield temporary
            self._note(temporary)
        _settle(self.stage)

    def _note(self, temporary: Path) -> None:
        """Write the record of a product whose main file has a temporary name still."""
        run = self.stage.run.path
        paths = {self.stage.main: temporary} | {side: side for side in self.stage.sides if side.exists()}
        files = {file.relative_to(run).as_posix(): file_entry(at) for file, at in paths.items()}
        seconds = round(time.monotonic() - self._began, 1)
        record = Record(self.sources, files, self.figures, now(), seconds, __version__)
        write_record(pending(self.stage.record), record)


@contextmanager
def working(stage: Stage, *, anew: bool = False) -> Iterator[Job]:
    """Attempt a stage: hold its run, check what it is made from and what is there already.

    anew: what is there is put aside first. Raises UsageError where another process is at work in the run,
    where something that it is made from is missing or stale, and where a product or an interrupted attempt
    is of other sources.
    """
    Inspection(stage).check_needs(stage)
    with stage.run.alone(stage.words):
        _settle(stage)
        if anew:
            put_aside(stage)
        is_done = stage.main.exists()
        if is_done:
            _check_current(stage)
        elif is_begun(stage):
            _check_begun(stage)
        elif stage.partials:
            write_record(begun_record(stage), Record(stage.sources(), made=now(), kit=__version__))
        yield Job(stage, is_done)


def adopt(stage: Stage) -> None:
    """Record a product that something else than its verb has put in place as one of today's sources."""
    files = {file.relative_to(stage.run.path).as_posix(): file_entry(file) for file in stage.files}
    write_record(stage.record, Record(stage.sources(), files, made=now(), kit=__version__))


def _check_current(stage: Stage) -> None:
    state = Inspection(stage).state(stage)
    if state.kind != "up to date":
        raise refusal(stage, state, _way_out(stage))
    assert state.record is not None
    figures = ", ".join(figures_of(state.record)[:FIGURES])
    progress.say(f"up to date: {stage.main}, made {state.record.local_time}{': ' * bool(figures)}{figures}")


def _check_begun(stage: Stage) -> None:
    reasons = begun_changed(stage)
    if reasons:
        raise UsageError(f"{stage.main} was begun from other sources: {reasons[0]}. {_way_out(stage)}")


def _way_out(stage: Stage) -> str:
    return f"Undo that, or make it again, which keeps the old one aside: {stage.command} --anew"


def figures_of(record: Record) -> list[str]:
    """A record's figures as words."""
    return [f"{name} {_figure(value)}" for name, value in record.figures.items() if value is not None]


def _figure(value: Any) -> str:
    return (
        f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def put_aside(stage: Stage) -> None:
    """Move a product, what an interrupted attempt left of it, and their records to old/DATE of the run.

    The main file goes last, so that a stale product whose move was interrupted is still known as stale.
    """
    run = stage.run.path
    aside = run / "old" / datetime.now().strftime("%Y-%m-%dT%H-%M-%S.%f")
    for path in (*stage.partials, begun_record(stage), stage.record, *reversed(stage.files)):
        if path.exists():
            target = aside / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
    if aside.exists():
        progress.say(f"kept aside: {aside}")


def _settle(stage: Stage) -> None:
    """Promote the record of a product that has just taken its name; drop one whose product never did."""
    if stage.is_pending():
        os.replace(pending(stage.record), stage.record)
    else:
        pending(stage.record).unlink(missing_ok=True)


def verified(stage: Stage, file: Path | None = None) -> Path:
    """The product's main file (or a side file) after its content was compared with its record.

    Raises KitError for a damaged one, with the way out; UsageError where there is none.
    """
    file = file or stage.main
    record = stage.made()
    name = file.relative_to(stage.run.path).as_posix()
    if record is None or name not in record.files or not file.exists():
        raise UsageError(f"{file} is not there; run: {stage.command}")
    if digest(file) != record.files[name][0]:
        raise KitError(
            f"{file} is damaged: its SHA-256 is not the one it was made with. Run: {stage.command} --anew"
        )
    return file


def read_or_warn(stage: Stage, file: Path | None = None) -> dict[str, Any]:
    """The JSON object of a product's file; empty where there is none or, with a message, where it is damaged.

    A file without a record is read as it is.
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
        raise KitError(f"{file} is damaged: it holds no JSON object. Run: {stage.command} --anew")
    except KitError as error:
        progress.say(str(error))
        return {}


def csv_of(stage: Stage) -> Path:
    """A prediction's CSV to be read or submitted: up to date, or of unknown origin, which is said.

    Raises UsageError where it is missing or stale, KitError where it is not as it was written.
    """
    if stage.main.exists() and stage.made() is None:
        progress.say(f"nothing is known of what {stage.main} was made from")
        return stage.main
    state = Inspection(stage).state(stage)
    if state.kind in ("stale", "damaged"):
        raise refusal(stage, state, _way_out(stage))
    return verified(stage)
