"""What has to be done for a member or an ensemble, in order: the files, what they come from, the verb."""

from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.reading.soft_labels import SETTINGS
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run


class Stage(NamedTuple):
    """A file, the files it comes from, and the yt8m words that make it."""

    makes: Path
    needs: list[Path]
    words: list[str]


def stages(recipe: Recipe, name: str, runs: Path) -> list[Stage]:
    """All stages up to the score of a member or ensemble; those of teachers come before their students'."""
    found: dict[Path, Stage] = {}
    _graph(recipe, name, runs, found)
    run = Run.of(runs, recipe.name, name)
    graph = run.graph / "saved_model.pb"
    _add(found, run.evaluation("validate", "graph"), [graph], "evaluate", recipe, name)
    _add(found, run.submission, [graph], "predict", recipe, name)
    _add(found, run.score, [run.submission], "submit", recipe, name)
    return list(found.values())


def _add(
    found: dict[Path, Stage], makes: Path, needs: list[Path], verb: str, recipe: Recipe, name: str
) -> Path:
    found.setdefault(makes, Stage(makes, needs, [verb, recipe.name, name]))
    return makes


def _graph(recipe: Recipe, name: str, runs: Path, found: dict[Path, Stage]) -> Path:
    """The exported graph of a member or ensemble."""
    members = recipe.ensemble(name).members
    scored = [_member(recipe, member, runs, found) for member in members]
    run = Run.of(runs, recipe.name, name)
    needs = scored
    if name not in recipe.members:
        needs = [_add(found, run.ensemble, scored, "ensemble", recipe, name)]
    if recipe.ensemble(name).is_measured:
        needs = [_add(found, run.plan, needs, "quantize", recipe, name)]
    return _add(found, run.graph / "saved_model.pb", needs, "export", recipe, name)


def _member(recipe: Recipe, name: str, runs: Path, found: dict[Path, Stage]) -> Path:
    """A member's validation scores, after its teacher's soft labels, training and averaging."""
    run, teacher = Run.of(runs, recipe.name, name), recipe.member(name).teacher
    needs = []
    if teacher is not None:
        graph = _graph(recipe, teacher, runs, found)
        labels = Run.of(runs, recipe.name, teacher).soft_labels / SETTINGS
        needs = [_add(found, labels, [graph], "distill", recipe, teacher)]
    trained = _add(found, run.trained, needs, "train", recipe, name)
    averaged = _add(found, run.averaged, [trained], "average", recipe, name)
    return _add(found, run.evaluation("validate", "weights"), [averaged], "evaluate", recipe, name)


def as_rules(found: list[Stage]) -> str:
    """The stages as rules for make, which runs what is missing; $(YT8M) is the command."""
    rules = [
        f"{stage.makes}: {' '.join(map(str, stage.needs))}\n\t$(YT8M) {' '.join(stage.words)}\n"
        for stage in found
    ]
    return "\n".join(rules)
