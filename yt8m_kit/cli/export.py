"""Verbs from members to one graph: blend weights, tensor formats, export."""

from pathlib import Path
from typing import Literal

from yt8m_kit import backend
from yt8m_kit.cli.places import experiment
from yt8m_kit.errors import UsageError
from yt8m_kit.stores.path import DataPath


def ensemble(
    recipe: str,
    ensemble: str,
    *,
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Search the blend weights of an ensemble by validation GAP@20.

    ensemble: an ensemble of the recipe.
    """
    from yt8m_kit.pipeline.messages.beginning import announce
    from yt8m_kit.pipeline.stages import Stages

    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    announce(Stages(given).ensemble(ensemble), anew=anew)
    backend.start()
    from yt8m_kit.ensembling.ensemble import ensemble as search

    return search(given, ensemble, anew=anew)


def quantize(
    recipe: str,
    name: str,
    *,
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Choose the format of each tensor, and calibrated codes, of a mixed or calibrated ensemble."""
    from yt8m_kit.pipeline.messages.beginning import announce
    from yt8m_kit.pipeline.stages import Stages

    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    blend = given.recipe.ensemble(name)
    if not blend.is_measured:
        raise UsageError(
            f"{name} is stored as {blend.codec}, which needs no measurement; only ensembles with "
            'codec="mixed" or calibrated=True are quantized before export.'
        )
    announce(Stages(given).quantize(name), anew=anew)
    backend.start("tensorflow")
    from yt8m_kit.quantization.quantize import quantize

    return quantize(given, name, anew=anew)


def export(
    recipe: str,
    name: str,
    *,
    format: Literal["graph", "tgz", "litert", "onnx"] = "graph",
    data: DataPath | None = None,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Write an ensemble (or a member alone) as one graph, as the 2018 starter's archive, or for phones.

    format: graph is TensorFlow's SavedModel, tgz the archive, litert one LiteRT file with codes of 8 bits, or
    of 4 if the codec has 4, onnx one ONNX file with the codes of the graph.
    data: the folder whose vocabulary.csv, where it exists, names the labels: in graph/labels.csv, and in
    LiteRT and ONNX models.
    """
    from yt8m_kit.pipeline.messages.beginning import announce
    from yt8m_kit.pipeline.stages import Stages

    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos, reads=False)
    announce(Stages(given).export(name, format=format), anew=anew)
    if format == "onnx":
        from yt8m_kit.export.onnx.requirements import check

        check(given.recipe, given.shares(name))
    backend.start("tensorflow")
    from yt8m_kit.export.export import export

    return export(given, name, format=format, anew=anew)


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

    return card(experiment(recipe, runs=runs, steps=steps, limit_videos=limit_videos, reads=False), name)
