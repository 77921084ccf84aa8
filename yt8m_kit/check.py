"""A recipe against what was published: parameters, bytes by codec, and the data it needs."""

from pathlib import Path

from yt8m_kit.data import records
from yt8m_kit.errors import KitError
from yt8m_kit.rebuild import counts, model_of
from yt8m_kit.recipe import Recipe
from yt8m_kit.table import plain

MIB = 2**20


def check(recipe: Recipe, data: Path) -> str:
    """A table of the members and a line on the data; KitError where a count differs from the published."""
    rows, wrong = [], []
    for name, member in recipe.members.items():
        saved, _ = counts(model_of(member, recipe.dataset))
        published = member.published_parameters
        if published not in (None, saved):
            wrong.append(f"{name} has {saved:,} parameters, published are {published:,}")
        rows.append(
            {
                "member": name,
                "family": member.family,
                "parameters": saved,
                "published": published,
                "float32 MiB": f"{saved * 4 / MIB:.2f}",
                "float16 MiB": f"{saved * 2 / MIB:.2f}",
                "uint8 MiB": f"{saved / MIB:.2f}",
            }
        )
    if wrong:
        raise KitError(f"recipe {recipe.name}: {'; '.join(wrong)}.")
    return plain(rows) + "".join(_found(data, split) for split in ("train", "validate", "test"))


def _found(data: Path, split: str) -> str:
    try:
        paths = records.find(data, split)
    except KitError as error:
        return f"{split}: {error}\n"
    return f"{split}: {len(paths)} shards in {paths[0].parent}, {records.count(paths)} records\n"
