"""A task of an engine: the command line of a stage or of a part of one, run in a process of its own."""

from pathlib import Path
from typing import NamedTuple, Protocol

from yt8m_kit.pipeline.part import Part
from yt8m_kit.pipeline.stage import Stage

# Verbs whose product is made shard by shard, so that parts of it may be made at the same time.
BY_SHARD = ("predict", "distill")
SHARDS = 4  # of a part, at least: starting its process and loading the graph takes some ten seconds


class Task(NamedTuple):
    """A stage, or a part of it, that is to be made; anew: move the old product to old/ first."""

    stage: Stage
    part: Part | None = None
    anew: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The verb and its arguments, without --data and --runs."""
        return self.part.words(self.stage) if self.part else self.stage.words

    @property
    def command(self) -> list[str]:
        """The complete command line, without the program."""
        given = self.stage.experiment
        data = [] if self.stage.verb == "export" else [f"--data={given.data}"]
        options = (*self.stage.options, f"--runs={given.runs}")
        return [*self.words, *options, *data, *(["--anew"] if self.anew else [])]

    @property
    def log(self) -> Path:
        """The file of what it prints, where the engine does not show that at once."""
        return self.stage.run.log(self.words)


class Outcome(NamedTuple):
    """How a task ended: exit code, 0 for success, and its last sentence, empty if that was shown at once."""

    code: int
    said: str = ""


class Engine(Protocol):
    """Runs tasks. shows_output: what tasks print is shown at once, so that one runs at a time."""

    shows_output: bool

    def slots(self, verb: str) -> int:
        """Return how many tasks of a verb can run at the same time."""

    def is_free(self) -> bool:
        """Return whether another task may be started."""

    def start(self, task: Task) -> None:
        """Start a task, or queue it."""

    def finished(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """Wait for a task to end, at most for some seconds; return those that have ended."""

    def stop(self, number: int) -> None:
        """Send a signal to all tasks and wait for their end, so that each saves what it resumes from."""
