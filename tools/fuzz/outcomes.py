"""What a reader makes of a damaged file."""

import contextlib
import io
import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

from tools.fuzz.mutations import mutated
from yt8m_kit.errors import KitError

Outcome = Literal["refused", "recovered", "harmless", "other input", "unnamed", "traceback", "silent"]
OUTCOMES: tuple[Outcome, ...] = (
    *("refused", "recovered", "harmless", "other input"),
    *("unnamed", "traceback", "silent"),
)
FAULTS = OUTCOMES[-3:]
AGAIN = "made again"  # what a reader returns where the verb then makes the same again


@dataclass(frozen=True)
class Kind:
    """A file, and what a verb does to read it.

    read: returns what is compared with what the undamaged file gave; AGAIN where the verb then makes the same
    again. names: one of them must be in the message. others: files that reading changes. authored: a file
    that people write and that has no SHA-256 file: another well-formed content is another input.
    """

    name: str
    file: Path
    read: Callable[[], Any]
    names: tuple[str, ...] = ()
    others: tuple[Path, ...] = ()
    authored: bool = False


@dataclass
class Result:
    """Mutations by outcome, and an example of each fault."""

    kind: Kind
    counts: Counter[Outcome] = field(default_factory=Counter)
    examples: dict[Outcome, str] = field(default_factory=dict)


def fuzz(kind: Kind, mutations: int, seed: int) -> Result:
    """Damage a file in random ways, one at a time, and read it; the file is as before afterwards."""
    rng, result = Random(f"{seed} {kind.name}"), Result(kind)
    content = kind.file.read_bytes()
    with _restored(kind):
        sound = _read(kind)[0]
    for _ in range(mutations):
        damaged = mutated(content, kind.file.suffix, rng)
        with _restored(kind) as times:
            kind.file.write_bytes(damaged)
            os.utime(kind.file, ns=times)  # as on a disk that decays
            outcome, why = _outcome(kind, sound)
        result.counts[outcome] += 1
        result.examples.setdefault(outcome, why)
    return result


@contextmanager
def _restored(kind: Kind) -> Iterator[tuple[int, int]]:
    """Afterwards all files are as before; yields the times of the file."""
    kept = {file: (file.read_bytes(), file.stat()) for file in (kind.file, *kind.others)}
    status = kept[kind.file][1]
    try:
        yield status.st_atime_ns, status.st_mtime_ns
    finally:
        for file, (content, times) in kept.items():
            file.unlink(missing_ok=True)  # it may have a second name
            file.write_bytes(content)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def _read(kind: Kind) -> tuple[Any, str]:
    """What the reader returns, and what it says on stderr."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        return kind.read(), said.getvalue()


def _outcome(kind: Kind, sound: Any) -> tuple[Outcome, str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = kind.read()
    except KitError as error:
        message = f"{said.getvalue()}{error}"
        return ("refused" if _is_named(kind, message) and "\n" not in str(error) else "unnamed"), message
    except Exception:
        return "traceback", traceback.format_exc()
    if found == AGAIN:
        return "recovered", ""
    if found == sound:
        return "harmless", ""
    if _is_named(kind, said.getvalue()):
        return "recovered", said.getvalue()
    return "other input" if kind.authored else "silent", repr(found)[:300]


def _is_named(kind: Kind, text: str) -> bool:
    return any(name in text for name in (kind.file.name, *kind.names))
