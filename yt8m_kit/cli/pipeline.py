"""Verbs over the whole stage graph: what state it is in, and making what is missing."""

from pathlib import Path

from yt8m_kit.cli.places import experiment


def status(recipe: str, *names: str, data: Path | None = None, runs: Path | None = None) -> None:
    """Print each stage of a recipe (or of some names) as missing, running, up to date or stale, and why."""
    from yt8m_kit.pipeline.status import status

    print(status(experiment(recipe, data, runs), names), end="")


def run(
    recipe: str,
    *names: str,
    to: str = "predict",
    data: Path | None = None,
    runs: Path | None = None,
    anew: bool = False,
    dry_run: bool = False,
) -> None:
    """Make what is missing or stale for some members and ensembles, all where none is named.

    --to says how far: train, average, ensemble, export, evaluate, predict or submit (the local board), or
    some of these separated by commas. Products of other sources are made again and the old ones kept aside;
    --anew does so with interrupted trainings, too, which are otherwise refused. --dry_run prints what would
    be done.
    """
    from yt8m_kit.pipeline import local

    given, goals = experiment(recipe, data, runs), local.goals_of(to)
    if dry_run:
        print("\n".join(local.plan(given, names, goals)) or "everything is up to date")
        return
    for file in local.run(given, names, goals, anew=anew):
        print(file)
