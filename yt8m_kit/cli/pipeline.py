"""Verbs for the whole stage graph: status and run."""

from pathlib import Path
from typing import Literal

from yt8m_kit.cli.places import experiment
from yt8m_kit.errors import UsageError


def status(recipe: str, *names: str, data: Path | None = None, runs: Path | None = None) -> None:
    """Print each stage of a recipe (or of some names) as missing, running, up to date or stale, and why."""
    from yt8m_kit.pipeline.status import status

    print(status(experiment(recipe, data, runs), names), end="")


def run(
    recipe: str,
    *names: str,
    to: str = "predict",
    engine: Literal["local", "ray"] = "local",
    jobs: int | None = None,
    address: str | None = None,
    gpus_per_train: int | None = None,
    data: Path | None = None,
    runs: Path | None = None,
    anew: bool = False,
    dry_run: bool = False,
) -> None:
    """Run the missing and stale stages of some members and ensembles, or of all if none is named.

    --to is the last stage: train, average, ensemble, export, evaluate, predict or submit (the local board),
    or several of these separated by commas. Stale products are made again, their old files moved to old/;
    --anew does so with interrupted trainings of other sources, too, which are otherwise refused. --dry_run
    prints the stages that would run.

    --jobs=N runs up to N stages at a time on this machine (default 1). --engine=ray runs them on a Ray
    cluster: that of this machine, or at --address=HOST[:PORT]; each training gets --gpus_per_train GPUs
    (default 1; 0 trains on CPUs). See docs/cluster.md.
    """
    from yt8m_kit.pipeline import goals

    given, verbs = experiment(recipe, data, runs), goals.goals_of(to)
    if dry_run:
        print("\n".join(goals.plan(given, names, verbs)) or "everything is up to date")
        return
    if engine == "local":
        if address is not None or gpus_per_train is not None:
            raise UsageError("--address and --gpus_per_train go with --engine=ray.")
        from yt8m_kit.pipeline.engines.processes import Processes

        chosen = Processes(1 if jobs is None else jobs)
    for file in goals.run(given, names, verbs, lambda: chosen, anew=anew):
        print(file)
