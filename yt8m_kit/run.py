"""The folder of one member or ensemble, runs/RECIPE/NAME, and the names of the files in it."""

import fcntl
import json
import math
import os
import socket
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

    def partial_predictions(self, split: str) -> Path:
        """The rows that an interrupted prediction has written."""
        return self.predictions(split).with_suffix(".partial.csv")

    def prediction_position(self, split: str) -> Path:
        """The position at which an interrupted prediction resumes."""
        return self.predictions(split).with_suffix(".position.json")

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
        with explaining(self.lock):
            self.path.mkdir(parents=True, exist_ok=True)
            file = FileIO(self.lock, "a+")
        with file:
            try:
                lock(file.fileno(), self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"another process works in {self.path}: {self.holder()}. Wait for it or stop it."
                ) from None
            holder = f"{' '.join(words)}, process {os.getpid()} on {socket.gethostname()}"
            with explaining(self.lock):
                file.truncate(0)
                write_all(file, holder.encode())
            yield

    def holder(self) -> str:
        """Return command and process of the holder of the run's lock; empty if there is none."""
        try:
            with self.lock.open(encoding="utf-8") as file:
                lock(file.fileno(), self.lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return ""
        except BlockingIOError:
            return self.lock.read_text(encoding="utf-8", errors="replace")
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
