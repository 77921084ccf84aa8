"""Check a recipe against published sizes (parameters, bytes by codec), and for the data it needs."""

from typing import NamedTuple

from yt8m_kit import models
from yt8m_kit.codecs.formats import CODECS, codec_bytes, fitting
from yt8m_kit.data.loader import splits
from yt8m_kit.errors import KitError
from yt8m_kit.models import Weight
from yt8m_kit.output.facts import Table
from yt8m_kit.output.tables import MIB, Row
from yt8m_kit.recipe import Member, Recipe
from yt8m_kit.stores.path import DataPath

IMPORTANT = ("ensemble", "within the limit", "MiB", "published MiB", "codec")


class Checked(NamedTuple):
    """Tables of sizes, the splits found, and the differences from published sizes."""

    members: Table
    ensembles: Table
    splits: Table
    wrong: list[str]


def check(recipe: Recipe, data: DataPath) -> Checked:
    """Compare the sizes of members and ensembles with the published ones, and look for their records.

    Models are outlined, not built: sizes are exact and no weights are allocated.
    """
    rows, wrong, outlines = [], [], {}
    for name, member in recipe.members.items():
        outlines[name] = models.weights(member.family, recipe.dataset, **member.hyperparameters)
        row, faults = _member(name, member, outlines[name], _shown(recipe))
        rows.append(row)
        wrong += faults
    digits = {name: 2 for row in rows for name in row if name.endswith("MiB")}
    ensembles = [_ensemble(recipe, name, outlines) for name in recipe.ensembles]
    return Checked(
        Table(rows, digits=digits, first=("member", "parameters", "published")),
        Table(ensembles, digits={"MiB": 1}, first=IMPORTANT, hidden=("bytes", "limit")),
        Table([_found(data, split) for split in ("train", "validate", "test")]),
        wrong,
    )


def _shown(recipe: Recipe) -> list[str]:
    """The codecs that the recipe uses or was published with, after float32."""
    used = {ensemble.codec for ensemble in recipe.ensembles.values()}
    used |= {codec for member in recipe.members.values() for codec in member.published_mib}
    return [codec for codec in CODECS if codec in used | {"float32"}]


def _member(name: str, member: Member, outline: list[Weight], shown: list[str]) -> tuple[Row, list[str]]:
    ours, published = sum(weight.size for weight in outline), member.published_parameters
    wrong = []
    if published not in (None, ours):
        wrong.append(f"{name} has {ours:,} parameters, published: {published:,}")
    row: Row = {"member": name, "family": member.family, "parameters": ours, "published": published}
    for codec in shown:
        row[f"{codec} MiB"] = mib = codec_bytes(codec, outline) / MIB
        theirs = member.published_mib.get(codec)
        if theirs is not None and f"{theirs:.2f}" != f"{mib:.2f}":
            wrong.append(f"{name} is {mib:.2f} MiB as {codec}, published: {theirs:.2f}")
    return row, wrong


def _ensemble(recipe: Recipe, name: str, outlines: dict[str, list[Weight]]) -> Row:
    ensemble = recipe.ensembles[name]
    weights = [weight for member in ensemble.members for weight in outlines[member]]
    total = codec_bytes(ensemble.codec, weights)
    # A search of weights also selects members that fit.
    over = "no" if ensemble.weights else "only some"
    over += f", by {total - ensemble.limit:,} bytes; fits as "
    over += fitting(weights, ensemble.limit) or "none"
    return {
        "ensemble": name,
        "codec": ensemble.codec,
        "bytes": total,
        "limit": ensemble.limit,
        "MiB": total / MIB,
        "published MiB": ensemble.published_mib,
        "within the limit": "yes" if total <= ensemble.limit else over,
        "members": list(ensemble.members),
    }


def _found(data: DataPath, split: str) -> Row:
    try:
        paths = splits.find(data, split)
    except KitError:
        return {"split": split, "shards": 0, "records": 0, "folder": str(data)}
    return {
        "split": split,
        "shards": len(paths),
        "records": splits.count(paths),
        "folder": str(paths[0].parent),
    }


def found_line(row: Row) -> str:
    """A row of the table of splits as a sentence."""
    if not row["shards"]:
        return f"{row['split']}: none in {row['folder']}"
    return f"{row['split']}: {row['shards']} shards in {row['folder']}, {row['records']} records"
