"""Quick check of a recipe: one batch through every stage of every member and ensemble."""

import contextlib
import io
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from yt8m_kit import models
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.ensembling.ensemble import ensemble
from yt8m_kit.errors import KitError
from yt8m_kit.evaluation.evaluate import evaluate
from yt8m_kit.export.export import export
from yt8m_kit.inference.distill import distill
from yt8m_kit.inference.predict import predict
from yt8m_kit.output.progress import plural
from yt8m_kit.quantization.quantize import quantize
from yt8m_kit.quantization.sizes import check_size, stored
from yt8m_kit.quantization.trial import MIXED_FORMATS
from yt8m_kit.recipe import Recipe
from yt8m_kit.reporting.quick_recipe import in_order, needs_of, reduced
from yt8m_kit.reporting.stage_process import StageProcess
from yt8m_kit.run import Experiment, Run
from yt8m_kit.stores.path import DataPath
from yt8m_kit.training.average import average
from yt8m_kit.training.loop import StoppedError
from yt8m_kit.training.train import train
from yt8m_kit.trial import FOLDER, Trial

LIMITS = Trial(steps=1, limit_videos=8, batch_size=4)

Report = Callable[[str], None]
Stage = Callable[[], object]
Verb = Callable[..., object]
T = TypeVar("T")


def quick_check(recipe: Recipe, runs: Path, data: DataPath | None, report: Report) -> None:
    """Take every member through train, average, evaluate, export and predict, and blend every ensemble.

    Members have their real size, one step and a batch of four videos, in file order of the first eight of
    each split of `data`; None: of synthesized records with the recipe's features and classes. Of an ensemble,
    the two smallest members are blended; the bytes of all are computed. report: takes a line for each stage
    with its seconds. Files are in RUNS/trials/quick.RECIPE and are deleted at the end, those of a member as
    soon as nothing needs them.
    Raises KitError that names recipe, member and stage of the first failure.
    """
    folder, began = runs / FOLDER / f"quick.{recipe.name}", time.monotonic()
    with _emptied(folder, recipe.name):
        if data is None:
            data = records = folder / "records"
            with contextlib.redirect_stderr(io.StringIO()):
                videos = LIMITS.limit_videos or 1
                synthesize(
                    records, train=videos, validate=videos, test=videos, shards=1, dataset=recipe.dataset
                )
        with closing(StageProcess()) as process:
            quick = _Check(recipe, data, folder, report, process)
            for number, name in enumerate(quick.names):
                quick.check(name)
                quick.delete(quick.names[: number + 1], quick.names[number + 1 :])
    seconds = time.monotonic() - began
    counts = f"{plural(len(recipe.members), 'member')}, {plural(len(recipe.ensembles), 'ensemble')}"
    report(f"recipe {recipe.name} passed in {seconds / 60:.1f} minutes: {counts}")


@contextmanager
def _emptied(folder: Path, recipe: str) -> Iterator[None]:
    """Hold a folder, empty but for its lock, and delete it at the end. UsageError if a process holds it."""
    run = Run(folder)
    with run.alone(("check", recipe, "--quick")):
        for left in folder.iterdir():
            if left != run.lock:
                shutil.rmtree(left)
        try:
            yield
        finally:
            shutil.rmtree(folder)


class _Check:
    """The stages of a recipe with its ensembles reduced. names: members and ensembles, teachers first."""

    def __init__(self, recipe: Recipe, data: DataPath, runs: Path, report: Report, process: StageProcess):
        self._recipe, self._report, self._process = recipe, report, process
        self._width = max(len(name) for name in (*recipe.members, *recipe.ensembles))
        self._experiment = Experiment(reduced(recipe, self._parameters()), data, runs).limited(LIMITS)
        self.names = in_order(self._experiment.recipe)

    def _parameters(self) -> dict[str, int]:
        """Number of parameters of each member, and bytes of each ensemble, before anything is trained."""
        recipe = self._recipe
        found = {m: self._timed(m, "outline", partial(_parameters, recipe, m)) for m in recipe.members}
        for name in recipe.ensembles:
            self._timed(name, "size", partial(_check_bytes, recipe, name))
        return found

    def check(self, name: str) -> None:
        """Run the stages of a member or ensemble, and its distillation if it is a teacher."""
        is_member = name in self._recipe.members
        stages = self._member(name) if is_member else self._ensemble(name)
        if name in {member.teacher for member in self._recipe.members.values()}:
            stages = {**stages, "distill": partial(distill, self._experiment, name)}
        for verb, stage in stages.items():
            self._timed(name, verb, partial(self._process.run, stage))

    def _member(self, name: str) -> Mapping[str, Stage]:
        verbs: dict[str, Verb] = {"train": train, "average": average, "evaluate": evaluate}
        return self._bound(verbs | {"export": export, "predict": predict}, name)

    def _ensemble(self, name: str) -> Mapping[str, Stage]:
        measured: dict[str, Verb] = {"quantize": quantize} if self._recipe.ensemble(name).is_measured else {}
        return self._bound({"ensemble": ensemble} | measured | {"export": export, "predict": predict}, name)

    def _bound(self, verbs: Mapping[str, Verb], name: str) -> Mapping[str, Stage]:
        return {verb: partial(function, self._experiment, name) for verb, function in verbs.items()}

    def _timed(self, name: str, verb: str, run: Callable[[], T]) -> T:
        """Run a stage and report its seconds. Raises KitError that names it if it fails."""
        began = time.monotonic()
        try:
            result = run()
        except StoppedError:
            raise KeyboardInterrupt from None
        except Exception as error:  # of Keras or TensorFlow, for hyperparameters that no check covers
            raise KitError(f"recipe {self._recipe.name}, {name}, {verb}: {_reason(error)}") from error
        self._report(f"{name:{self._width}}  {verb:8}  {time.monotonic() - began:6.1f} s")
        return result

    def delete(self, done: Sequence[str], left: Sequence[str]) -> None:
        """Delete what only finished stages read, and the runs that nothing which is left needs."""
        recipe = self._experiment.recipe
        needed = {need for name in left for need in needs_of(recipe, name)}
        for name in done:
            run = self._experiment.run(name)
            unused = (run.checkpoints, run.path / "ema", run.graph) if name in needed else (run.path,)
            for folder in unused:
                shutil.rmtree(folder, ignore_errors=True)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, KitError) else f"{type(error).__name__}: {lines[0]}"


def _parameters(recipe: Recipe, name: str) -> int:
    """Number of parameters of a member, from its outline."""
    member = recipe.member(name)
    weights = models.weights(member.family, recipe.dataset, **member.hyperparameters)
    return sum(weight.size for weight in weights)


def _check_bytes(recipe: Recipe, name: str) -> None:
    """Check the bytes of all members of an ensemble; a search of weights leaves out what does not fit."""
    blend = recipe.ensemble(name)
    if blend.weights is not None or len(blend.members) == 1 or blend.codec == "mixed":
        codec = MIXED_FORMATS[0] if blend.codec == "mixed" else blend.codec  # the smallest
        members = [m for m, w in zip(blend.members, blend.weights or (1.0,) * len(blend.members)) if w]
        check_size(name, replace(blend, codec=codec), stored(recipe, members, codec))
