"""What storing weights as codes costs: GAP@20 lost by codec, bits a weight by tensor group."""

from collections.abc import Iterator, Sequence
from typing import Any

from yt8m_kit.output.tables import Row
from yt8m_kit.pipeline.job import read_or_warn
from yt8m_kit.pipeline.stages import Stages

BITS = 8


def codec_losses(stages: Stages, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """GAP@20 lost and bits a weight of each exported graph whose float model was scored, by codec.

    rows: of report.figures. Bits are of the whole graph, its operations included.
    """
    found = []
    members = stages.recipe.members
    for row in rows:
        exported = read_or_warn(stages.export(row["name"]), stages.experiment.run(row["name"]).export)
        if row["GAP lost"] is not None and row["parameters"] and exported:
            bits = BITS * exported["bytes"] / row["parameters"]
            lost = {"name": row["name"], "member": row["name"] if row["name"] in members else None}
            found.append(lost | {"codec": exported["codec"], "bits": bits, "lost": row["GAP lost"]})
    return found


def format_errors(stages: Stages) -> list[dict[str, Any]]:
    """Squared error of a member's probabilities for each format that a mixed codec tried.

    The error per video with one tensor encoded, summed over tensors: the sum that bit allocation assumes.
    """
    found = []
    for name in stages.recipe.ensembles:
        errors = read_or_warn(stages.quantize(name)).get("errors", {}) if _is_measured(stages, name) else {}
        for member, tensors in errors.items():
            for form in next(iter(tensors.values()), {}):
                error = sum(tried[form] for tried in tensors.values())
                found.append({"ensemble": name, "member": member, "format": form, "error": error})
    return found


def _is_measured(stages: Stages, name: str) -> bool:
    return stages.recipe.ensemble(name).is_measured


def tensor_bits(stages: Stages, names: Sequence[str]) -> list[dict[str, Any]]:
    """Tensor groups of each exported graph: weights, bits a weight of the group, its share of the member's.

    `share`: the group's bits divided by the member's weights, so that a member's shares add up to its bits a
    weight. names: of members and ensembles.
    """
    return [row for name in names for row in _groups(stages, name)]


def _groups(stages: Stages, name: str) -> Iterator[dict[str, Any]]:
    exported = read_or_warn(stages.export(name), stages.experiment.run(name).export)
    for member, groups in exported.get("tensors", {}).items():
        total = sum(group["weights"] for group in groups.values())
        for group, about in groups.items():
            yield {
                "graph": name if name == member else f"{name}: {member}",
                "member": member,
                "group": group,
                "format": " ".join(about["formats"]),
                "weights": about["weights"],
                "bits": BITS * about["bytes"] / about["weights"],
                "share": BITS * about["bytes"] / total,
            }
