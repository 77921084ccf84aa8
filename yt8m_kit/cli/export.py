"""Verbs from members to one graph: blend weights, tensor formats, export."""

from pathlib import Path
from typing import Literal

from yt8m_kit import backend
from yt8m_kit.cli.places import experiment
from yt8m_kit.errors import UsageError


def ensemble(
    recipe: str,
    ensemble: str,
    *,
    data: Path | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Search the blend weights of an ensemble by validation GAP@20.

    ensemble: an ensemble of the recipe.
    """
    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    backend.start()
    from yt8m_kit.ensembling.ensemble import ensemble as search

    return search(given, ensemble, anew=anew)


def quantize(
    recipe: str,
    name: str,
    *,
    data: Path | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Choose the format of each tensor, and calibrated codes, of a mixed or calibrated ensemble."""
    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    blend = given.recipe.ensemble(name)
    if not blend.is_measured:
        raise UsageError(
            f"{name} is stored as {blend.codec}, which needs no measurement; only ensembles with "
            'codec="mixed" or calibrated=True are quantized before export.'
        )
    backend.start("tensorflow")
    from yt8m_kit.quantization.quantize import quantize

    return quantize(given, name, anew=anew)


def export(
    recipe: str,
    name: str,
    *,
    format: Literal["graph", "tgz"] = "graph",
    data: Path | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Write an ensemble (or a member alone) as one graph, or as the archive of the 2018 starter code.

    format: graph is TensorFlow's SavedModel, tgz the archive.
    data: the folder whose vocabulary.csv, where it exists, becomes graph/labels.csv.
    """
    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    backend.start("tensorflow")
    from yt8m_kit.export.export import export

    return export(given, name, archive=format == "tgz", anew=anew)


def card(
    recipe: str,
    name: str,
    *,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
) -> Path:
    """Write the model card of an exported graph, README.md with a header as on Hugging Face."""
    from yt8m_kit.reporting.card.card import card

    return card(experiment(recipe, runs=runs, steps=steps, limit_videos=limit_videos), name)
