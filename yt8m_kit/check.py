"""A recipe against what was published: parameters, bytes by codec, and the data it needs."""

from pathlib import Path
from typing import Any

from yt8m_kit import codecs, models
from yt8m_kit.data import records
from yt8m_kit.errors import KitError
from yt8m_kit.recipe import CODECS, SIZE_LIMIT, Member, Recipe
from yt8m_kit.table import Row, plain

MIB = 2**20


def check(recipe: Recipe, data: Path) -> tuple[str, list[str]]:
    """Tables of members and ensembles and a line a split, as text; and what differs from the published.

    Models are outlined, not built: sizes are exact and nothing is allocated.
    """
    rows, wrong, sizes = [], [], {}
    for name, member in recipe.members.items():
        sizes[name] = _sizes(recipe, member)
        row, faults = _member(name, member, sizes[name])
        rows.append(row)
        wrong += faults
    text = plain(rows)
    if recipe.ensembles:
        text += "\n" + plain([_ensemble(recipe, name, sizes) for name in recipe.ensembles])
    return text + "\n" + "".join(_found(data, split) for split in ("train", "validate", "test")), wrong


def _sizes(recipe: Recipe, member: Member) -> dict[str, int]:
    """Parameters, and bytes by codec."""
    weights = models.weights(member.family, recipe.dataset, **member.hyperparameters)
    sizes = {"parameters": sum(weight.size for weight in weights)}
    for codec in CODECS:
        sizes[codec] = sum(codecs.stored_bytes(codec, weight.path, weight.size) for weight in weights)
    return sizes


def _member(name: str, member: Member, sizes: dict[str, int]) -> tuple[Row, list[str]]:
    published = member.published_parameters
    wrong = []
    if published not in (None, sizes["parameters"]):
        wrong.append(f"{name} has {sizes['parameters']:,} parameters, published are {published:,}")
    row: Row = {
        "member": name,
        "family": member.family,
        "parameters": sizes["parameters"],
        "published": published,
    }
    for codec in CODECS:
        row[f"{codec} MiB"] = ours = f"{sizes[codec] / MIB:.2f}"
        theirs = member.published_mib.get(codec)
        if theirs is not None and f"{theirs:.2f}" != ours:
            wrong.append(f"{name} is {ours} MiB as {codec}, published are {theirs:.2f}")
    return row, wrong


def _ensemble(recipe: Recipe, name: str, sizes: dict[str, dict[str, int]]) -> Row:
    ensemble = recipe.ensembles[name]
    total = sum(sizes[member][ensemble.codec] for member in ensemble.members)
    row: dict[str, Any] = {
        "ensemble": name,
        "codec": ensemble.codec,
        "MiB": f"{total / MIB:.1f}",
        "published MiB": ensemble.published_mib,
        "under 2^30": "yes" if total <= SIZE_LIMIT else f"no, by {total - SIZE_LIMIT:,} bytes",
        "members": " ".join(ensemble.members),
    }
    return row


def _found(data: Path, split: str) -> str:
    try:
        paths = records.find(data, split)
    except KitError:
        return f"{split}: none in {data}\n"
    return f"{split}: {len(paths)} shards in {paths[0].parent}, {records.count(paths)} records\n"
