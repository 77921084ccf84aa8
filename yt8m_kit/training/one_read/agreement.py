"""What members must have in common to be trained from one read; nothing heavy is imported."""

from collections.abc import Sequence

from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Member, Recipe

APART = "or train them with a command each"


def check_agreement(recipe: Recipe, names: Sequence[str]) -> None:
    """Check that members can be fed with the same batches, or whole numbers of them.

    Raises UsageError for a name that is given twice, for members that read the records in another order, and
    for a batch that is no whole multiple of the smallest one.
    """
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"member {twice} is named twice; name each member once.")
    first, *others = names
    for other in others:
        _check_seeds(recipe, first, other)
    smallest = min(names, key=lambda name: rows_of(recipe.member(name)))
    for name in names:
        _check_rows(recipe, smallest, name)


def rows_of(member: Member) -> int:
    """Videos of a batch: a part of `accumulate` of an update."""
    return member.batch_size // member.accumulate


def _check_seeds(recipe: Recipe, first: str, other: str) -> None:
    one, two = recipe.member(first).seed, recipe.member(other).seed
    if one != two:
        raise UsageError(
            f"{first} and {other} read the records in another order: seed is {one} and {two}. Give them the "
            f"same seed in the recipe, {APART}."
        )


def _check_rows(recipe: Recipe, smallest: str, name: str) -> None:
    least, rows = rows_of(recipe.member(smallest)), rows_of(recipe.member(name))
    if rows % least:
        field = _field(recipe.member(smallest), recipe.member(name))
        raise UsageError(
            f"{smallest} and {name} cannot share batches: {field} is {least} and {rows}, no multiple of "
            f"{least}. Give {name} {rows // least * least} or {-(-rows // least) * least} in the recipe, "
            f"{APART}."
        )


def _field(*members: Member) -> str:
    accumulating = any(member.accumulate > 1 for member in members)
    return "batch_size / accumulate" if accumulating else "batch_size"
