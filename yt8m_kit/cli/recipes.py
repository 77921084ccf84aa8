"""Verbs that list recipes, members, ensembles, stages and sizes."""

from pathlib import Path

from yt8m_kit import backend
from yt8m_kit.cli.places import experiment
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.recipe import load, names


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
    """Print the members of an ensemble, or all of the recipe, one per line."""
    loaded = load(recipe)
    print("\n".join(loaded.ensemble(ensemble).members if ensemble else loaded.members))


def ensembles(recipe: str) -> None:
    """Print the ensembles of a recipe, one per line."""
    print("\n".join(load(recipe).ensembles))


def stages(recipe: str, name: str, *, runs: Path | None = None) -> None:
    """Print the stages that lead to a member or ensemble, teachers before students."""
    from yt8m_kit.pipeline.stages import Stages

    known = Stages(experiment(recipe, runs=runs))
    last = (known.graph_scores(name), known.submit(name))
    print("\n".join(" ".join(stage.words) for stage in known.leading_to(last)))


def check(recipe: str, *, data: Path | None = None) -> None:
    """Compare parameters and bytes with the published ones; report which data is present."""
    given = experiment(recipe, data)
    backend.start()
    from yt8m_kit.reporting.check import check

    text, wrong = check(given.recipe, given.data)
    print(text, end="")
    if wrong:
        raise KitError(f"recipe {recipe} differs from what was published: {'; '.join(wrong)}.")
