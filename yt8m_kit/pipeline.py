"""What has to be done for a member or an ensemble, in order: the files, what they come from, the verb."""

from pathlib import Path
from typing import NamedTuple

from yt8m_kit.run import Experiment


class Stage(NamedTuple):
    """A file, the files it comes from, and the yt8m words that make it."""

    makes: Path
    needs: list[Path]
    words: list[str]


def stages(experiment: Experiment, name: str) -> list[Stage]:
    """All stages up to the score of a member or ensemble; those of teachers come before their students'."""
    found: dict[Path, Stage] = {}
    _graph(experiment, name, found)
    run = experiment.run(name)
    graph = run.graph / "saved_model.pb"
    _add(found, run.evaluation("validate", "graph"), [graph], "evaluate", experiment, name)
    _add(found, run.submission, [graph], "predict", experiment, name)
    _add(found, run.score, [run.submission], "submit", experiment, name)
    return list(found.values())


def _add(
    found: dict[Path, Stage], makes: Path, needs: list[Path], verb: str, experiment: Experiment, name: str
) -> Path:
    found.setdefault(makes, Stage(makes, needs, [verb, experiment.recipe.name, name]))
    return makes


def _graph(experiment: Experiment, name: str, found: dict[Path, Stage]) -> Path:
    """The exported graph of a member or ensemble."""
    recipe = experiment.recipe
    members = recipe.ensemble(name).members
    scored = [_member(experiment, member, found) for member in members]
    run = experiment.run(name)
    needs = scored
    if name not in recipe.members:
        needs = [_add(found, run.ensemble, scored, "ensemble", experiment, name)]
    if recipe.ensemble(name).is_measured:
        needs = [_add(found, run.plan, needs, "quantize", experiment, name)]
    return _add(found, run.graph / "saved_model.pb", needs, "export", experiment, name)


def _member(experiment: Experiment, name: str, found: dict[Path, Stage]) -> Path:
    """A member's validation scores, after its teacher's soft labels, training and averaging."""
    run, teacher = experiment.run(name), experiment.recipe.member(name).teacher
    needs = []
    if teacher is not None:
        graph = _graph(experiment, teacher, found)
        labels = experiment.run(teacher).soft_label_manifest
        needs = [_add(found, labels, [graph], "distill", experiment, teacher)]
    trained = _add(found, run.trained, needs, "train", experiment, name)
    averaged = _add(found, run.averaged, [trained], "average", experiment, name)
    return _add(found, run.evaluation("validate", "weights"), [averaged], "evaluate", experiment, name)


def as_rules(found: list[Stage]) -> str:
    """The stages as rules for make, which runs what is missing; $(YT8M) is the command."""
    rules = [
        f"{stage.makes}: {' '.join(map(str, stage.needs))}\n\t$(YT8M) {' '.join(stage.words)}\n"
        for stage in found
    ]
    return "\n".join(rules)
