"""Write the model card of an exported graph, in the form of Hugging Face's model cards.

Form: https://huggingface.co/docs/hub/model-cards
"""

import importlib.util
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from yt8m_kit import __version__
from yt8m_kit.errors import UsageError
from yt8m_kit.export.label_names import FILE as LABELS
from yt8m_kit.metrics import TOP
from yt8m_kit.output.files import write_text
from yt8m_kit.output.tables import MIB
from yt8m_kit.pipeline.job import current, read_or_warn
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.reporting.card import evidence
from yt8m_kit.run import Experiment

TEMPLATES = resources.files("yt8m_kit.reporting.card") / "templates"


def card(experiment: Experiment, name: str) -> Path:
    """Write RUNS/RECIPE/NAME/README.md, the card of the graph beside it, and return its path.

    Raises UsageError if there is no jinja2, or if the graph is missing or stale, and KitError if it differs
    from its record.
    """
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError(
            "card needs jinja2; install it: pip install 'yt8m-kit[report]' (in a checkout: .venv/bin/pip "
            "install -c constraints.txt -e '.[report]')"
        )
    run, stage = experiment.run(name), Stages(experiment).export(name)
    run.need(run.graph, "export")
    current(stage)
    path = run.path / "README.md"
    write_text(path, _render(contents(experiment, name)))
    return path


def contents(experiment: Experiment, name: str) -> dict[str, Any]:
    """Variables of the template."""
    stages, recipe, run = Stages(experiment), experiment.recipe, experiment.run(name)
    exported = read_or_warn(stages.export(name), run.export)
    record = stages.export(name).made()
    return {
        "recipe": recipe,
        "name": name,
        "is_ensemble": name in recipe.ensembles,
        "features": _features(recipe.dataset.features),
        "top": min(TOP, recipe.dataset.classes),
        "has_labels": (run.graph / LABELS).exists(),
        "exported": exported,
        "mib": exported["bytes"] / MIB,
        "formats": _formats(exported),
        "members": [_member(experiment, exported, member) for member in exported["weights"]],
        "scores": evidence.scores(stages, name),
        "metrics": evidence.metrics(recipe.dataset).values(),
        "training": evidence.training(stages, exported["weights"]),
        "made": record.local_time if record else "",
        "tensorflow": record.environment.get("tensorflow") if record else None,
        "version": __version__,
    }


def _features(features: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    """Name and range of bytes in a frame of each feature."""
    found, start = [], 0
    for name, width in features:
        found.append({"name": name, "first": start, "last": start + width - 1})
        start += width
    return found


def _formats(exported: Mapping[str, Any]) -> str:
    """Formats of the tensors, those of most weights first."""
    weights: dict[str, int] = {}
    for groups in exported.get("tensors", {}).values():
        for group in groups.values():
            for form in group["formats"]:
                weights[form] = weights.get(form, 0) + group["weights"]
    return ", ".join(sorted(weights, key=lambda form: -weights[form]))


def _member(experiment: Experiment, exported: Mapping[str, Any], name: str) -> dict[str, Any]:
    member, groups = experiment.recipe.member(name), exported.get("tensors", {}).get(name, {})
    return {
        "name": name,
        "family": member.family,
        "share": exported["weights"][name],
        "parameters": sum(group["weights"] for group in groups.values()),
        "hyperparameters": ", ".join(f"{key}={value}" for key, value in member.hyperparameters.items()),
    }


def _render(variables: Mapping[str, Any]) -> str:
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda file: (TEMPLATES / file).read_text(encoding="utf-8")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["yaml"] = json.dumps  # JSON's strings are YAML's
    return templates.get_template("card.md").render(**variables)
