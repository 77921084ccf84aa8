"""Choose final weights: last checkpoint or average, by validation GAP@20."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import keras
import numpy as np

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.evaluation.validation import validation_gap
from yt8m_kit.inference.member_model import save_weights, trained_model
from yt8m_kit.output import progress
from yt8m_kit.output.files import give_name, replacing, write_json
from yt8m_kit.pipeline.job import Job, verified, working
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Ema, Member, Range
from yt8m_kit.run import Experiment, Run
from yt8m_kit.stores.path import DataPath
from yt8m_kit.training import checkpoints
from yt8m_kit.training.batch_norm import reestimate
from yt8m_kit.training.ema import ExponentialMovingAverage
from yt8m_kit.training.input_pipeline import shuffled, statistics_batches
from yt8m_kit.training.loop import Loop
from yt8m_kit.training.optimizer import loss_of, optimizer_of

BEST = "candidate.weights.h5"  # the best variant so far
Variant = tuple[str, Callable[[], None]]  # description, function that assigns its weights to the model


def average(experiment: Experiment, name: str, *, anew: bool = False) -> Path:
    """Choose a trained member's final weights; return the path of averaged.weights.h5.

    Variants are the averages that the recipe configures and, with keep_average="better", the trained weights
    themselves; the one with the highest validation GAP@20 is kept; average.json lists all scores. BatchNorm
    statistics are re-estimated for each average. Without an average in the recipe, the trained weights are
    final. Raises UsageError if training is incomplete or no checkpoint lies within a range, KitError if a
    checkpoint is damaged.
    """
    stages = Stages(experiment)
    stage = stages.average(name)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            weights = _chosen(experiment, name, stages.train(name), job)
            with job.writing() as temporary:
                give_name(weights, temporary)
        (stage.run.path / BEST).unlink(missing_ok=True)
    return stage.main


def _chosen(experiment: Experiment, name: str, trained: Stage, job: Job) -> Path:
    """The path of the final weights."""
    member = experiment.recipe.member(name)
    if member.average is None:
        return verified(trained)
    model = trained_model(experiment, name, trained, member.precision)
    return _best(experiment, member, trained.run, model, job) or trained.main


def _best(experiment: Experiment, member: Member, run: Run, model: keras.Model, job: Job) -> Path | None:
    """The weights of the best variant; None if the trained weights score higher. Writes average.json."""
    dataset = experiment.recipe.dataset
    train_paths, validate_paths = (paths_of(experiment, split) for split in ("train", "validate"))
    found: dict[str, float] = {}
    before = validation_gap(model, dataset, validate_paths, "before")
    best = before if member.keep_average == "better" else -1.0
    for what, apply in _variants(experiment, member, run, model, train_paths):
        apply()
        with closing(statistics_batches(member, dataset, train_paths)) as batches:
            reestimate(model, batches, member.statistics_batches)
        found[what] = validation_gap(model, dataset, validate_paths, what)
        if found[what] > best:
            best = found[what]
            with replacing(run.path / BEST) as temporary:
                save_weights(model, temporary)
    best_average = max(found, key=lambda what: found[what])
    is_kept = member.keep_average == "always" or found[best_average] > before
    kept = best_average if is_kept else "trained"
    progress.say(f"GAP@20 trained {before:.4f}, {best_average} {found[best_average]:.4f}: kept {kept}")
    write_json(run.average, {"trained": before, "averages": found, "kept": kept})
    job.figures = {"GAP@20": before if kept == "trained" else found[kept], "kept": kept}
    return None if kept == "trained" else run.path / BEST


def _variants(
    experiment: Experiment, member: Member, run: Run, model: keras.Model, paths: Sequence[DataPath]
) -> Iterator[Variant]:
    if isinstance(member.average, Range):
        yield from _ranges(member.average, member, run, model)
    elif isinstance(member.average, Ema):
        yield _ema(member.average, experiment, member, run, model, paths)


def _ranges(wanted: Range, member: Member, run: Run, model: keras.Model) -> Iterator[Variant]:
    """Yield `searched` ranges that end at the last checkpoint, their starts evenly spaced."""
    found = checkpoints.weights_in(run.checkpoints, wanted.first, wanted.last)
    if not found:
        raise UsageError(
            f"no checkpoint of steps {wanted.first} to {wanted.last} in {run.checkpoints}; "
            f"checkpoints are kept every {member.checkpoint_steps} steps."
        )
    starts = np.unique(np.linspace(0, len(found) - 1, wanted.searched + 1).astype(int)[:-1])
    for start in starts:
        chosen = found[start:]
        what = f"range {checkpoints.step_of(chosen[0])}-{checkpoints.step_of(chosen[-1])}"
        yield what, partial(assign_mean, model, chosen)


def assign_mean(model: keras.Model, found: list[Path]) -> None:
    """Assign the equal-weight mean of kept checkpoints to the model's variables, moving statistics included.

    Sums are float64 and accumulated one checkpoint at a time. Raises KitError for a checkpoint that is
    damaged or belongs to another model.
    """
    sums = [np.zeros(tuple(variable.shape), np.float64) for variable in model.variables]
    with progress.bar(len(found), "average", unit=" checkpoints") as bar:
        for path in found:
            arrays = list(checkpoints.read_weights(path))
            if [array.shape for array in arrays] != [total.shape for total in sums]:
                raise KitError(f"{path} belongs to another model; delete it to average without it.")
            for total, array in zip(sums, arrays):
                total += array
            bar.update()
    for variable, total in zip(model.variables, sums):
        # Seeds of random layers are integers: they are not averaged.
        if "int" not in str(variable.dtype):
            variable.assign((total / len(found)).astype(np.float32))


def _ema(
    wanted: Ema,
    experiment: Experiment,
    member: Member,
    run: Run,
    model: keras.Model,
    paths: Sequence[DataPath],
) -> Variant:
    """Continue training from the converged weights and average after every step."""

    def apply() -> None:
        shadows = ExponentialMovingAverage(model, wanted.gamma)
        faults = Faults(experiment.recipe.dataset.max_skipped)
        loop = Loop(
            run=run,
            folder=run.path / "ema",
            member=member.without_validation(),
            model=model,
            optimizer=optimizer_of(member, wanted.learning_rate),
            label_loss=loss_of(member, experiment.recipe.dataset),
            total=wanted.steps_of(splits.count(paths), member.batch_size),
            batches=shuffled(experiment, member, paths, faults),
            faults=faults,
            shadows=shadows,
        )
        loop.optimizer.build(model.trainable_variables)
        loop.go()
        shadows.copy_to_model()

    return f"EMA 1/{1 / wanted.gamma:g}", apply
