"""Verbs for the whole stage graph: status and run."""

from pathlib import Path

from yt8m_kit.cli.places import experiment
from yt8m_kit.stores.path import DataPath


def status(
    recipe: str,
    *names: str,
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
) -> None:
    """Print each stage of a recipe (or of some names) as missing, running, up to date or stale, and why."""
    from yt8m_kit.pipeline.status import status

    print(status(experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos), names), end="")


def run(
    recipe: str,
    *names: str,
    to: str = "predict",
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
    anew: do so with interrupted trainings of other sources, too; else they are refused.
    dry_run: only print the stages that would run.
    """
    from yt8m_kit.pipeline import local

    given, goals = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos), local.goals_of(to)
    if dry_run:
        print("\n".join(local.plan(given, names, goals)) or "everything is up to date")
        return
    for file in local.run(given, names, goals, anew=anew):
        print(file)
