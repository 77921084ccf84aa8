"""The folder of one member or ensemble: runs/RECIPE/NAME, with fixed file names; a final file means done."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.files import write_json, write_text
from yt8m_kit.recipe import Recipe


class _File:
    """A file of the run under a fixed name."""

    def __init__(self, name: str):
        self._name = name

    def __get__(self, run: "Run", owner: type) -> Path:
        return run.path / self._name


@dataclass(frozen=True)
class Run:
    """Where the stages of one member or ensemble leave their files."""

    path: Path

    @classmethod
    def of(cls, runs: Path, recipe: str, name: str) -> "Run":
        """The run of that member or ensemble; nothing is created."""
        return cls(runs / recipe / name)

    member = _File("member.json")
    metrics = _File("metrics.jsonl")
    checkpoints = _File("checkpoints")
    trained = _File("trained.weights.h5")
    averaged = _File("averaged.weights.h5")
    average = _File("average.json")
    ensemble = _File("ensemble.json")
    graph = _File("graph")
    soft_labels = _File("soft_labels")
    soft_label_manifest = _File("soft_labels/manifest.json")  # written last: all shards have labels
    archive = _File("graph.tgz")
    export = _File("export.json")
    plan = _File("plan.json")
    submission = _File("submission.csv")
    score = _File("score.json")
    entry = _File("kaggle_entry.json")

    def evaluation(self, split: str, kind: str) -> Path:
        """Scores on a split; kind is "weights" (the float model) or "graph" (the exported one)."""
        return self.path / f"{split}.{kind}.json"

    def probabilities(self, split: str) -> Path:
        """float32 (videos, C) of the float model on a split, with ids and labels beside it."""
        return self.path / f"{split}.probabilities.npz"

    def codes(self, member: str) -> Path:
        """Codes of a member that were chosen on videos."""
        return self.path / f"codes.{member}.npz"

    def need(self, path: Path, verb: str) -> Path:
        """`path`, or a UsageError that says which verb makes it."""
        if not path.exists():
            recipe, name = self.path.parts[-2:]
            raise UsageError(f"{path} is not there; run: yt8m {verb} {recipe} {name}")
        return path

    def freeze(self, settings: dict[str, Any]) -> None:
        """Remember the member's settings at the first call; later ones must agree with them."""
        if not self.member.exists():
            write_json(self.member, settings)
            return
        frozen = self.read(self.member)
        changed = [key for key in settings.keys() | frozen.keys() if settings.get(key) != frozen.get(key)]
        if changed:
            key = sorted(changed)[0]
            raise UsageError(
                f"the recipe changed since this run began: {key} was {frozen.get(key)!r}, is now "
                f"{settings.get(key)!r}. Undo the change, name the member otherwise, or delete {self.path}."
            )

    @staticmethod
    def read(path: Path) -> Any:
        """A JSON file of the run; KitError names it where it is damaged."""
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise KitError(f"cannot read {path}: {error}. Delete it and run the stage again.") from error

    def log(self, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl."""
        with self.metrics.open("a") as lines:
            lines.write(json.dumps(row) + "\n")

    def rows(self, stage: str) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl of one stage, without its name."""
        found = [row for row in self._rows() if row["stage"] == stage]
        return [{key: value for key, value in row.items() if key != "stage"} for row in found]

    def forget_after(self, stage: str, step: int) -> None:
        """Drop a stage's rows beyond `step`, and a row that a kill left half written."""
        rows = [row for row in self._rows() if row["stage"] != stage or row["step"] <= step]
        write_text(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))

    def _rows(self) -> list[dict[str, Any]]:
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("}\n")]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the run for this process; UsageError where another one does."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"another process is at work in {self.path}; wait for it or stop it."
                ) from error
            yield


@dataclass(frozen=True)
class Experiment:
    """What every stage is handed: a recipe, the folder of its records, the folder of all runs."""

    recipe: Recipe
    data: Path
    runs: Path

    def run(self, name: str) -> Run:
        """The run of a member or ensemble; nothing is created."""
        return Run.of(self.runs, self.recipe.name, name)

    def shares(self, name: str) -> dict[str, float]:
        """Each member's share of a blend, summing to 1; members of share 0 are left out.

        Raises UsageError where an ensemble's weights are not there yet.
        """
        if name in self.recipe.members:
            return {name: 1.0}
        run = self.run(name)
        weights = run.read(run.need(run.ensemble, "ensemble"))["weights"]
        total = sum(weights.values())
        return {member: weight / total for member, weight in weights.items() if weight > 0}
