"""Size against GAP@20: members, ensembles, the blend search, and published systems."""

from collections.abc import Sequence
from typing import Any

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.output.tables import MIB, Row
from yt8m_kit.pipeline.job import read_or_warn
from yt8m_kit.pipeline.stages import Stages


def sizes(stages: Stages, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Points of kind member, ensemble, search (ordered by size) and published: name, MiB, GAP@20.

    rows: of report.figures. A member that was not exported has the size of its float32 weights. Published
    scores are of Kaggle's private half; `comparable` tells whether they are of this recipe's data set.
    """
    names = stages.recipe.members
    points = [_point(row, "member" if row["name"] in names else "ensemble") for row in rows]
    searched = [point for name in stages.recipe.ensembles for point in _search(stages, name)]
    return [point for point in points if point["mib"]] + searched + _published(stages)


def _point(row: Row, kind: str) -> dict[str, Any]:
    exported = row["exported MiB"]
    form = "exported graph" if exported else "float32 weights"
    return {
        "kind": kind,
        "name": row["name"],
        "member": row["name"] if kind == "member" else None,
        "mib": exported or row["float32 MiB"],
        "gap": row["GAP@20"],
        "form": form,
    }


def _search(stages: Stages, name: str) -> list[dict[str, Any]]:
    found = read_or_warn(stages.ensemble(name))
    return [
        {
            "kind": "search",
            "name": name,
            "mib": point["bytes"] / MIB,
            "gap": point["gap"],
            "form": ", ".join(point["weights"]),
        }
        for point in found.get("curve", [])
    ]


def _published(stages: Stages) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    for recipe in _loadable():
        for title, ensemble in recipe.ensembles.items():
            score = ensemble.published_private or ensemble.published_public
            if score is not None and ensemble.published_mib is not None:
                point = {"kind": "published", "name": f"{recipe.name} {title}", "form": "published"}
                is_comparable = recipe.dataset == stages.recipe.dataset
                figures = {"mib": ensemble.published_mib, "gap": score, "comparable": is_comparable}
                points.append(point | figures)
    return points


def _loadable() -> list[recipes.Recipe]:
    """All recipes; one that cannot be loaded is named on stderr."""
    found = []
    for name in recipes.names():
        try:
            found.append(recipes.load(name))
        except KitError as error:
            progress.say(str(error))
    return found
