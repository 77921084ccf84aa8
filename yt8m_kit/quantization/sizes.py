"""Bytes of a model by codec, and the size limit of the exported graph."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from yt8m_kit import models
from yt8m_kit.codecs.forms import fitting, form_of, stored_bytes
from yt8m_kit.errors import KitError
from yt8m_kit.recipe import Ensemble, Recipe

NAMED = 3  # members and tensors that a refusal names
# A graph's operations, beside its codes, are about as large for small models as for large ones.
MEMBER_BYTES, ROUND_BYTES = 120_000, 80_000


class Stored(NamedTuple):
    """A tensor of a member, the form it is stored in and its bytes."""

    member: str
    path: str
    shape: tuple[int, ...]
    form: str
    size: int


def stored(recipe: Recipe, members: Sequence[str], codec: str) -> list[Stored]:
    """Every tensor of the members as a codec stores it, from outlines: nothing is allocated."""
    tensors = []
    for name in members:
        member = recipe.member(name)
        for weight in models.weights(member.family, recipe.dataset, **member.hyperparameters):
            form = form_of(codec, weight.path, weight.shape)
            size = stored_bytes(form, weight.shape)
            tensors.append(Stored(name, weight.path, weight.shape, form, size))
    return tensors


def in_form(tensor: Stored, form: str) -> Stored:
    """The tensor in another form."""
    return tensor._replace(form=form, size=stored_bytes(form, tensor.shape))


def operations(rounds: int) -> int:
    """Bytes that a member takes beside its codes, on the safe side; it comes again with each round."""
    return MEMBER_BYTES + rounds * ROUND_BYTES


def check_size(name: str, blend: Ensemble, tensors: Sequence[Stored], written: int | None = None) -> None:
    """Raises KitError where an ensemble is over the limit, 2^30 bytes in the competition.

    written: bytes on disk; None counts those of the tensors alone, before anything is written. The message
    says by how much, names the largest members and tensors, and the most exact codec that would fit.
    """
    codes = sum(tensor.size for tensor in tensors)
    total, limit = written or codes, blend.limit
    if total <= limit:
        return
    members: Counter[str] = Counter()
    for tensor in tensors:
        members[tensor.member] += tensor.size
    largest = sorted(tensors, key=lambda tensor: -tensor.size)[:NAMED]
    beside = written - codes if written else len(members) * operations(blend.rounds)
    fits = fitting([(tensor.path, tensor.shape) for tensor in tensors], limit - beside)
    advice = f"codec {fits} would fit" if fits else "no codec would fit: leave members out"
    raise KitError(
        f"ensemble {name} is {total:,} bytes as {blend.codec}, {total - limit:,} over the limit of "
        f"{limit:,}; nothing was written. Largest members: {_listed(members.most_common(NAMED))}; "
        f"largest tensors: {_listed([(f'{t.member} {t.path}', t.size) for t in largest])}; {advice}."
    )


def _listed(sizes: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes)
