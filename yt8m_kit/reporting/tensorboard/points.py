"""What TensorBoard shows of a recipe: the numbers of the report page, by videos seen, and the settings."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from yt8m_kit.errors import UsageError
from yt8m_kit.output.tables import Row
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Ensemble, Member
from yt8m_kit.reporting.page.curves import logs
from yt8m_kit.reporting.report import figures
from yt8m_kit.run import Experiment
from yt8m_kit.training.log import VALIDATION

Points = list[tuple[int, dict[str, float]]]  # videos seen, and values by tag
TAGS = {"gap": "GAP@20"}  # as in the score table


def points_of(experiment: Experiment, split: str) -> dict[str, Points]:
    """Points of each run in TensorBoard.

    NAME/train: loss, learning rate, videos/s; NAME/validate: scores in training; NAME: the numbers of its row
    in the score table, at its last step. Raises UsageError if nothing was trained or evaluated.
    """
    rows: dict[str, list[Row]] = {}
    for name, _, found in logs(Stages(experiment)):
        rows.setdefault(name, []).extend(found)
    curves = {f"{name}/train": _curve(found, _figure_tag) for name, found in rows.items()}
    curves |= {f"{name}/validate": _curve(found, _score_tag) for name, found in rows.items()}
    scores = {
        row["name"]: [(rows[row["name"]][-1]["videos"] if row["name"] in rows else 0, _numbers(row))]
        for row in _score_table(experiment, split)
    }
    if not rows and not scores:
        recipe = experiment.recipe.name
        raise UsageError(
            f"nothing of recipe {recipe} was trained in {experiment.runs}; run: yt8m run {recipe}"
        )
    return {name: [] for name in rows} | scores | {name: found for name, found in curves.items() if found}


def _curve(rows: Sequence[Row], tag: Callable[[str], str | None]) -> Points:
    found = [(row["videos"], {name: row[key] for key in row if (name := tag(key))}) for row in rows]
    return [(videos, values) for videos, values in found if values]


def _figure_tag(key: str) -> str | None:
    return None if key in ("videos", "step") or key.startswith(VALIDATION) else key


def _score_tag(key: str) -> str | None:
    name = key.removeprefix(VALIDATION)
    return None if name == key else TAGS.get(name, name)


def _numbers(row: Row) -> dict[str, float]:
    return {key: float(value) for key, value in row.items() if isinstance(value, int | float)}


def _score_table(experiment: Experiment, split: str) -> list[Row]:
    with suppress(UsageError):  # nothing was evaluated yet
        return figures(experiment, split)
    return []


def hyperparameters(settings: Member | Ensemble) -> dict[str, bool | float | str]:
    """Settings of a member or ensemble, with those of its family; what is not set is left out."""
    found: dict[str, Any] = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    found |= found.pop("hyperparameters", {})
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in found.items()
        if value is not None and value not in ((), {})
    }
