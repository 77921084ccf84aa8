"""The competition's limit: what an exported graph weighs, and what to do where that is too much."""

from collections import Counter
from typing import NamedTuple

from yt8m_kit import codecs, models
from yt8m_kit.errors import KitError
from yt8m_kit.recipe import SIZE_LIMIT, Recipe

NAMED = 3  # members and tensors that a refusal names
GRAPH_SHARE = 0.01  # of the limit that is left for the operations when another codec is proposed


class Stored(NamedTuple):
    """A tensor of a member, the form it is stored in and its bytes."""

    member: str
    path: str
    shape: tuple[int, ...]
    form: str
    size: int


def stored(recipe: Recipe, members: list[str], codec: str) -> list[Stored]:
    """What the members' graphs would store with that codec, found from outlines: nothing is allocated."""
    tensors = []
    for name in members:
        member = recipe.member(name)
        for weight in models.weights(member.family, recipe.dataset, **member.hyperparameters):
            form = codecs.form_of(codec, weight.path, weight.shape)
            size = codecs.stored_bytes(form, weight.shape)
            tensors.append(Stored(name, weight.path, weight.shape, form, size))
    return tensors


def check_size(name: str, codec: str, tensors: list[Stored], written: int | None = None) -> None:
    """Raises KitError where an ensemble is over the limit of 2^30 bytes.

    written: bytes on disk; None counts those of the tensors alone, before anything is written. The message
    says by how much, names the largest members and tensors, and the most exact codec that would fit.
    """
    total = written or sum(tensor.size for tensor in tensors)
    if total <= SIZE_LIMIT:
        return
    members: Counter[str] = Counter()
    for tensor in tensors:
        members[tensor.member] += tensor.size
    largest = sorted(tensors, key=lambda tensor: -tensor.size)[:NAMED]
    weights = [(tensor.path, tensor.shape) for tensor in tensors]
    fitting = codecs.fitting(weights, int(SIZE_LIMIT * (1 - GRAPH_SHARE)))
    advice = f"codec {fitting} would fit" if fitting else "no codec would fit: leave members out"
    raise KitError(
        f"ensemble {name} is {total:,} bytes as {codec}, {total - SIZE_LIMIT:,} over the limit of "
        f"{SIZE_LIMIT:,}; nothing was written. Largest members: {_listed(members.most_common(NAMED))}; "
        f"largest tensors: {_listed([(f'{t.member} {t.path}', t.size) for t in largest])}; {advice}."
    )


def _listed(sizes: list[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes)
