"""The folder of one member or ensemble, runs/RECIPE/NAME, and the names of the files in it."""

import fcntl
import json
import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.files import explaining, write_all
from yt8m_kit.output.locks import lock
from yt8m_kit.recipe import Recipe
from yt8m_kit.stores.path import DataPath
from yt8m_kit.trial import FOLDER, Trial


class _File:
    """A file of the run under a fixed name."""

    def __init__(self, name: str):
        self._name = name

    def __get__(self, run: "Run", owner: type) -> Path:
        return run.path / self._name


@dataclass(frozen=True)
class Run:
    """The folder into which the stages of one member or ensemble write."""

    path: Path

    @classmethod
    def of(cls, runs: Path, recipe: str, name: str) -> "Run":
        """Return the run of a member or ensemble; creates nothing."""
        return cls(runs / recipe / name)

    lock = _File(".lock")
    provenance = _File("provenance")
    metrics = _File("metrics.jsonl")
    checkpoints = _File("checkpoints")
    trained = _File("trained.weights.h5")
    averaged = _File("averaged.weights.h5")
    average = _File("average.json")
    ensemble = _File("ensemble.json")
    graph = _File("graph")
    soft_labels = _File("soft_labels")
    soft_label_index = _File("soft_labels/manifest.json")  # written last: all shards have labels
    archive = _File("graph.tgz")
    litert = _File("graph.tflite")
    onnx = _File("graph.onnx")
    export = _File("export.json")
    plan = _File("plan.json")
    submission = _File("submission.csv")
    score = _File("score.json")
    entry = _File("kaggle_entry.json")

    def evaluation(self, split: str, kind: str) -> Path:
        """Scores on a split; kind is "weights" (the float model) or "graph" (the exported one)."""
        return self.path / f"{split}.{kind}.json"

    def probabilities(self, split: str) -> Path:
        """float32 (videos, C) of the float model on a split, with ids and labels."""
        return self.path / f"{split}.probabilities.npz"

    def predictions(self, split: str) -> Path:
        """The CSV of the top 20 labels of a split: the submission for the test split."""
        return self.submission if split == "test" else self.path / f"predictions.{split}.csv"

    def predicted_shards(self, split: str) -> Path:
        """Folder of the rows of each shard, until they are joined to the CSV."""
        return self.predictions(split).with_suffix(".shards")

    def log(self, words: tuple[str, ...]) -> Path:
        """What a stage prints while others run at the same time; words: of its command line."""
        verb, _, _, *options = words
        return self.path / "logs" / f"{' '.join((verb, *options)).replace('/', '-of-')}.log"

    def segments(self, split: str) -> Path:
        """The CSV of the ranked segments of a split."""
        return self.path / f"segments.{split}.csv"

    def codes(self, member: str) -> Path:
        """Calibrated codes of a member."""
        return self.path / f"codes.{member}.npz"

    def need(self, path: Path, verb: str) -> Path:
        """Return `path`; raise UsageError with the command that makes it if it is missing."""
        if not path.exists():
            recipe, name = self.path.parts[-2:]
            raise UsageError(f"{path} is missing; run: yt8m {verb} {recipe} {name}")
        return path

    @staticmethod
    def read(path: Path) -> Any:
        """Read a JSON file of the run; KitError names a damaged one."""
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise KitError(f"cannot read {path}: {error}. Delete it and run the stage again.") from error

    @contextmanager
    def alone(self, words: tuple[str, ...] = ()) -> Iterator[None]:
        """Lock the run for this process, whose command is `words`; UsageError if another one holds it."""
        with self._holding(self.lock, fcntl.LOCK_EX) as file:
            _sign(self.lock, file, words)
            yield

    @contextmanager
    def shared(self, words: tuple[str, ...], path: Path) -> Iterator[None]:
        """Share the run with other parts of the same stage; UsageError if a whole stage holds it.

        path: this part's own lock, `.part*.lock` in a folder of the run; removed at the end.
        """
        with self._holding(self.lock, fcntl.LOCK_SH), self._holding(path, fcntl.LOCK_EX) as own:
            _sign(path, own, words)
            yield
            path.unlink(missing_ok=True)

    @contextmanager
    def _holding(self, path: Path, operation: int) -> Iterator[FileIO]:
        with explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = FileIO(path, "a+")
        with file:
            try:
                _acquire(file, path, operation)
            except BlockingIOError:
                raise UsageError(
                    f"another process works in {self.path}: {self.holder()}. Wait for it or stop it."
                ) from None
            yield file

    def holders(self) -> list[str]:
        """Commands and processes at work in the run: one, or one for each part of a stage."""
        locks = (self.lock, *sorted(self.path.glob("*/.part*.lock")))
        return [holder for path in locks if (holder := _holder(path))]

    def holder(self) -> str:
        """Command and process at work in the run, or those of all parts of a stage; else empty."""
        return "; ".join(self.holders())


def _acquire(file: FileIO, path: Path, operation: int) -> None:
    """Lock an open file; BlockingIOError if others hold it for YT8M_LOCK_WAIT seconds."""
    end = time.monotonic() + _patience()
    while True:
        try:
            return lock(file.fileno(), path, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def _patience() -> float:
    """Seconds to wait for a run's lock: YT8M_LOCK_WAIT, else what a look at its holder takes."""
    asked = os.environ.get("YT8M_LOCK_WAIT", "0.5")
    try:
        if 0 <= (seconds := float(asked)) < math.inf:
            return seconds
    except ValueError:
        pass
    raise UsageError(f"YT8M_LOCK_WAIT must be a number of seconds, 0 or more; got {asked!r}.")


def _sign(path: Path, file: FileIO, words: tuple[str, ...]) -> None:
    """Write command and process of the holder into its lock."""
    with explaining(path):
        file.truncate(0)
        write_all(file, f"{' '.join(words)}, process {os.getpid()} on {socket.gethostname()}".encode())


def _holder(path: Path) -> str:
    """Command and process that hold a lock; empty if there is none."""
    try:
        with path.open(encoding="utf-8") as file:
            lock(file.fileno(), path, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return ""
    except BlockingIOError:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@dataclass(frozen=True)
class Experiment:
    """The argument of every stage: a recipe, the folder of its records, the folder of all runs.

    trial: limits of a small trial, whose runs are in RUNS/trials; None for the real run.
    """

    recipe: Recipe
    data: DataPath
    runs: Path
    trial: Trial | None = None

    def limited(self, trial: Trial) -> "Experiment":
        """Return the trial of this experiment, with a shortened recipe."""
        return replace(self, recipe=trial.shorten(self.recipe), trial=trial)

    @property
    def place(self) -> Path:
        """The folder of this recipe's runs: RUNS/RECIPE, of a trial RUNS/trials/RECIPE."""
        return (self.runs / FOLDER if self.trial else self.runs) / self.recipe.name

    def run(self, name: str) -> Run:
        """Return the run of a member or ensemble; creates nothing."""
        return Run(self.place / name)

    def shares(self, name: str) -> dict[str, float]:
        """Read each member's share of a blend, summing to 1; members of share 0 are left out.

        Raises UsageError if an ensemble's weights are missing, KitError if they are damaged.
        """
        if name in self.recipe.members:
            return {name: 1.0}
        run = self.run(name)
        found = run.read(run.need(run.ensemble, "ensemble"))
        members = self.recipe.ensemble(name).members
        try:
            weights = {str(member): float(weight) for member, weight in found["weights"].items()}
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            weights = {}
        if not (set(weights) <= set(members) and all(0 <= w < math.inf for w in weights.values())):
            weights = {}
        if not (total := sum(weights.values())):
            raise KitError(
                f"{run.ensemble} is damaged: it does not hold weights of {', '.join(members)}. Run: "
                f"yt8m ensemble {self.recipe.name} {name} --anew"
            )
        return {member: weight / total for member, weight in weights.items() if weight > 0}
