"""A part of a stage: every n-th shard of its split, so that several processes make one product."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Self

from yt8m_kit.errors import UsageError
from yt8m_kit.output.files import explaining
from yt8m_kit.output.locks import lock
from yt8m_kit.output.provenance import read_record
from yt8m_kit.pipeline.job import working
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import attempt_changes, attempt_record
from yt8m_kit.stores.path import DataPath


class Part(NamedTuple):
    """Part `number` of `parts`, from 1 on."""

    number: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse K/N; UsageError unless 1 <= K <= N."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UsageError(f"--part must be K/N with 1 <= K <= N, as in 2/4; got {text!r}.")
        return cls(int(number), int(count))

    def __str__(self) -> str:
        return f"{self.number}/{self.parts}"

    def of(self, shards: Sequence[DataPath]) -> Sequence[DataPath]:
        """Return the shards of this part."""
        return shards[self.number - 1 :: self.parts]

    def words(self, stage: Stage) -> tuple[str, ...]:
        """Return the command line of this part of a stage, without --data and --runs."""
        return (*stage.words, f"--part={self}")


WHOLE = Part(1, 1)


@contextmanager
def working_on(stage: Stage, part: Part) -> Iterator[bool]:
    """Attempt a part of a stage: share its run with the other parts; yield False if the product is done.

    Raises what `working` raises, and UsageError if a whole stage holds the run.
    """
    is_done = False
    if stage.main.exists() or not _is_begun(stage):
        with working(stage) as job:
            is_done = job.is_done
    if is_done:
        yield False
        return
    folder = stage.partials[0]
    with stage.run.shared(part.words(stage), folder / f".part-{part.number}-of-{part.parts}.lock"):
        if not _is_begun(stage):
            raise UsageError(f"{stage.main} was started over from other sources; run this part again.")
        yield True


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold a shard's file of a product for this process; another one that wants it waits.

    Parts of equal number meet where one of them was taken for lost.
    """
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        name = path.with_name(f".{path.name}.lock")
        file = FileIO(name, "a")
    with file:
        lock(file.fileno(), name, fcntl.LOCK_EX)
        yield


def _is_begun(stage: Stage) -> bool:
    """Whether the sources of this attempt have been recorded, by this or another part."""
    return read_record(attempt_record(stage)) is not None and not attempt_changes(stage)
