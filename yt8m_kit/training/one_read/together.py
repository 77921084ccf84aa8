"""Train several members of a recipe at the same time from one read."""

import os
from collections.abc import Generator, Sequence
from pathlib import Path

from yt8m_kit import backend
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.errors import KitError
from yt8m_kit.machine import device, signals
from yt8m_kit.output import progress
from yt8m_kit.pipeline.effort import Effort, spent
from yt8m_kit.pipeline.engines.task import Task
from yt8m_kit.pipeline.job import check_resumable, working
from yt8m_kit.pipeline.sample_check import check_splits
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import is_interrupted
from yt8m_kit.run import Experiment
from yt8m_kit.training.one_read.agreement import check_agreement
from yt8m_kit.training.one_read.display import Display
from yt8m_kit.training.one_read.placing import places
from yt8m_kit.training.one_read.processes import MemberProcess
from yt8m_kit.training.one_read.reading import Reading, serve


def train_together(
    experiment: Experiment, names: Sequence[str], *, strict: bool = False, anew: bool = False
) -> list[Path]:
    """Train members to the end of their steps, or resume their trainings; return their trained.weights.h5.

    Each is trained by a process of its own as if alone, and gets the same weights; this one reads. A member
    that fails ends alone. Signals stop all of them after their running steps.
    Raises UsageError for members that cannot share a read, or whose existing files were made from other
    sources; KitError, in the end, if members have failed.
    """
    check_agreement(experiment.recipe, names)
    backend.check(backend.chosen())
    stages = [Stages(experiment).train(name) for name in names]
    todo = [stage for stage in stages if anew or not _is_done(stage)]
    check_splits(*todo, anew=anew)
    if todo:
        _train(experiment, [Task(stage, anew=anew) for stage in todo], strict)
    return [stage.main for stage in stages]


def _is_done(stage: Stage) -> bool:
    """Whether a member is trained; raises UsageError if it was, or was begun, from other sources."""
    if stage.main.exists():
        with working(stage) as job:
            return job.is_done
    if is_interrupted(stage):
        check_resumable(stage)
    return False


def _train(experiment: Experiment, tasks: Sequence[Task], strict: bool) -> None:
    """Train each member in a process, and read for all of them."""
    display = Display([task.stage.run.path.name for task in tasks])
    processes: list[MemberProcess] = []

    def send(number: int) -> None:
        for process in processes:
            process.signal(number)

    with signals.passed_on(send) as request:
        try:
            for task, place in zip(tasks, places(len(tasks), device.gpus(), os.environ)):
                request.raise_again()
                processes.append(MemberProcess(task, place, display, strict=strict))
            _read(experiment, processes, strict)
        finally:
            codes = {process.name: process.ended() for process in processes}
    if request.number and signals.exit_code(request.number) in codes.values():
        request.raise_again()
    _check(codes)


def _read(experiment: Experiment, processes: Sequence[MemberProcess], strict: bool) -> None:
    """Read for the members until none wants more; say what that took."""
    recipe, before = experiment.recipe, spent()
    paths, faults = paths_of(experiment, "train"), Faults(recipe.dataset.max_skipped)
    seed = recipe.member(processes[0].name).seed

    def read(given: Reading) -> Generator[Batch]:
        yield from read_batches(
            paths,
            recipe.dataset,
            given.rows,
            seed=seed,
            epochs=None,
            start=given.start,
            strict=strict,
            faults=faults,
            reuse=given.reuse,
            allocate=given.allocate,
        )

    served = serve({process.name: process.channel for process in processes}, recipe.dataset, read)
    if faults:
        progress.say(faults.summary())
    if served:
        progress.say(_taken(spent().since(before), len(served)))


def _taken(effort: Effort, members: int) -> str:
    size = "" if effort.bytes_read is None else f" {progress.amount(effort.bytes_read)}"
    return f"read{size} once for {progress.plural(members, 'member')}, {effort.cpu_seconds:.1f} s of CPU time"


def _check(codes: dict[str, int]) -> None:
    """Raise KitError if members have failed."""
    if failed := [name for name, code in codes.items() if code]:
        raise KitError(
            f"{len(failed)} of {progress.plural(len(codes), 'member')} failed: {', '.join(failed)}. Each has "
            "said why; the same command goes on with these."
        )
