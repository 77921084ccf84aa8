"""Verbs for the whole stage graph: status and run."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from yt8m_kit.cli.places import experiment
from yt8m_kit.cli.process.facts import print_facts
from yt8m_kit.errors import UsageError
from yt8m_kit.fields import Count, Whole
from yt8m_kit.output.facts import form_of
from yt8m_kit.stores.path import DataPath

if TYPE_CHECKING:
    from yt8m_kit.pipeline.engines.task import Engine
    from yt8m_kit.pipeline.stage import Stage


def status(
    recipe: str,
    *names: str,
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    tsv: bool = False,
    json: bool = False,
) -> None:
    """Print each stage of a recipe (or of some names) as missing, running, up to date or stale, and why."""
    from yt8m_kit.pipeline.status import status, status_facts

    form = form_of(tsv=tsv, json=json)
    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    print_facts(form, stages=(status if form == "text" else status_facts)(given, names))


def run(
    recipe: str,
    *names: str,
    to: str = "predict",
    engine: Literal["local", "ray"] = "local",
    jobs: Count | None = None,
    address: str | None = None,
    gpus_per_train: Whole | None = None,
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
    dry_run: bool = False,
) -> None:
    """Run the missing and stale stages of some members and ensembles, or of all if none is named.

    Stale products are made again, their old files moved to old/.

    to: the last stage, one of train, average, ensemble, export, evaluate, predict, submit (the local board),
    or several of these separated by commas.
    engine: local runs the stages on this machine, ray on the nodes of a Ray cluster; see docs/cluster.md.
    jobs: stages at a time on this machine; else 1.
    address: HOST or HOST:PORT of the Ray cluster; else $RAY_ADDRESS, else that of this machine.
    gpus_per_train: GPUs of each training on Ray; else 1; 0 trains on CPUs.
    anew: do so with interrupted trainings of other sources, too; else they are refused.
    dry_run: only print the stages that would run.
    """
    from yt8m_kit.pipeline import goals

    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    verbs = goals.goals_of(to)
    if dry_run:
        print("\n".join(goals.plan(given, names, verbs)) or "everything is up to date")
        return
    chosen = _engine(engine, jobs, address, gpus_per_train)
    if engine == "ray":  # nodes know the folders by their absolute paths
        given = replace(given, data=given.data.absolute(), runs=given.runs.resolve())
    for file in goals.run(given, names, verbs, chosen, anew=anew):
        print(file)


def _engine(
    engine: str, jobs: int | None, address: str | None, gpus_per_train: int | None
) -> "Callable[[list[Stage]], Engine]":
    """Return what starts the engine for some stages; UsageError for options of another engine."""
    if engine == "local":
        if address is not None or gpus_per_train is not None:
            raise UsageError("--address and --gpus_per_train go with --engine=ray.")
        from yt8m_kit.pipeline.engines.processes import Processes

        processes = Processes(1 if jobs is None else jobs)
        return lambda _: processes
    if jobs is not None:
        raise UsageError(
            "--jobs goes with --engine=local; Ray runs as many stages as the cluster has room for."
        )
    if find_spec("ray") is None:
        raise UsageError("--engine=ray needs the extra ray: pip install 'yt8m-kit[ray]'.")
    from yt8m_kit.pipeline.engines.ray_tasks import RayTasks

    gpus = 1 if gpus_per_train is None else gpus_per_train
    return lambda todo: RayTasks(address or "auto", gpus, todo)
