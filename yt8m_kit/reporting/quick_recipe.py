"""The recipe of a quick check: small ensembles; the order of members and ensembles, and what each needs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from yt8m_kit.recipe import Ensemble, Member, Recipe

BLENDED = 2  # members of an ensemble that are blended, the smallest ones


def reduced(recipe: Recipe, sizes: Mapping[str, int]) -> Recipe:
    """The recipe with each ensemble of its smallest members with a weight, at most BLENDED of them.

    Initial weights of other recipes are left out, as their runs are not there, and the challenge's own
    format, whose function cannot be sent to another process. sizes: of the members.
    """
    return replace(
        recipe,
        members={name: _on_its_own(member) for name, member in recipe.members.items()},
        ensembles={name: _reduced(each, sizes) for name, each in recipe.ensembles.items()},
        submission=None,
    )


def _on_its_own(member: Member) -> Member:
    return replace(member, initial=None) if "/" in (member.initial or "") else member


def _reduced(blend: Ensemble, sizes: Mapping[str, int]) -> Ensemble:
    if len(blend.members) <= BLENDED:
        return blend
    weights = dict(zip(blend.members, blend.weights or (1.0,) * len(blend.members)))
    smallest = sorted((name for name in weights if weights[name]), key=lambda name: sizes[name])[:BLENDED]
    kept = tuple(weights[name] for name in smallest) if blend.weights else None
    return replace(blend, members=tuple(smallest), weights=kept)


def in_order(recipe: Recipe) -> list[str]:
    """Members and ensembles of a recipe, each after all that it needs."""
    names: dict[str, None] = {}

    def visit(name: str) -> None:
        for need in needs_of(recipe, name):
            visit(need)
        names.setdefault(name)

    for name in (*recipe.members, *recipe.ensembles):
        visit(name)
    return list(names)


def needs_of(recipe: Recipe, name: str) -> Sequence[str]:
    """The teacher of a member, and the member of its initial weights; the members of an ensemble."""
    if name in recipe.members:
        member = recipe.member(name)
        return [each for each in (member.teacher, member.initial) if each]
    return recipe.ensemble(name).members
