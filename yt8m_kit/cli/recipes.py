"""Verbs that list recipes, members, ensembles, stages and sizes."""

from functools import partial
from pathlib import Path

from yt8m_kit import backend
from yt8m_kit.cli.places import experiment, runs_place
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.recipe import load, names
from yt8m_kit.stores.path import DataPath


def recipes() -> None:
    """List the recipes with their members and ensembles, and the mistakes in those that cannot be loaded."""
    broken = []
    for name in names():
        try:
            recipe = load(name)
        except UsageError as error:
            print(f"{name}: cannot be loaded: {error}")
            broken.append(name)
            continue
        print(f"{name}: {recipe.description}")
        print(f"  members: {', '.join(recipe.members)}")
        print(f"  ensembles: {', '.join(recipe.ensembles) or 'none'}")
    if broken:
        raise KitError(f"recipes that cannot be loaded: {', '.join(broken)}.")


def members(recipe: str, ensemble: str | None = None) -> None:
    """Print the members of an ensemble, or all of the recipe, one per line.

    ensemble: an ensemble of the recipe.
    """
    loaded = load(recipe)
    print("\n".join(loaded.ensemble(ensemble).members if ensemble else loaded.members))


def ensembles(recipe: str) -> None:
    """Print the ensembles of a recipe, one per line."""
    print("\n".join(load(recipe).ensembles))


def stages(recipe: str, name: str, *, runs: Path | None = None) -> None:
    """Print the stages that lead to a member or ensemble, teachers before students."""
    from yt8m_kit.pipeline.stages import Stages

    known = Stages(experiment(recipe, runs=runs, reads=False))
    last = (known.graph_scores(name), known.submit(name))
    print("\n".join(" ".join(stage.words) for stage in known.leading_to(last)))


def check(
    recipe: str, *, quick: bool = False, data: DataPath | None = None, runs: Path | None = None
) -> None:
    """Compare sizes with the published ones; --quick runs one batch through every stage.

    --quick takes every member at its real size through train, average, evaluate, export and predict, and
    blends every ensemble from its two smallest members, on synthesized records unless --data is given. It
    prints the seconds of each stage and stops at the first failure. Its files are deleted at the end.

    quick: run every stage on a few videos, instead of comparing sizes.
    data: the records; else $YT8M_DATA, else data/DATASET. With --quick: real records for it, else synthesized
    ones.
    runs: folder of the files of --quick while it runs; else $YT8M_RUNS, else runs.
    """
    if quick:
        loaded = load(recipe)
        backend.start("tensorflow")
        from yt8m_kit.reporting.quick_check import quick_check

        return quick_check(loaded, runs_place(runs), data, partial(print, flush=True))
    given = experiment(recipe, data)
    backend.start()
    from yt8m_kit.reporting.check import check

    text, wrong = check(given.recipe, given.data)
    print(text, end="")
    if wrong:
        raise KitError(f"recipe {recipe} differs from what was published: {'; '.join(wrong)}.")
