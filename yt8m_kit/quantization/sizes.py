"""Size limit of the exported graph, and the bytes of its tensors by codec."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from yt8m_kit import models
from yt8m_kit.codecs.formats import fitting, format_of, stored_bytes
from yt8m_kit.errors import KitError
from yt8m_kit.recipe import Ensemble, Recipe

NAMED = 3  # members and tensors listed in the error message
# The operations of a graph, without its codes, take about the same bytes for small and large models.
MEMBER_BYTES, ROUND_BYTES = 120_000, 80_000


class StoredTensor(NamedTuple):
    """A tensor of a member, the format it is stored in and its bytes."""

    member: str
    path: str
    shape: tuple[int, ...]
    format: str
    size: int


def stored(recipe: Recipe, members: Sequence[str], codec: str) -> list[StoredTensor]:
    """List every tensor of the members as a codec stores it; from outlines, without allocating weights."""
    tensors = []
    for name in members:
        member = recipe.member(name)
        for weight in models.weights(member.family, recipe.dataset, **member.hyperparameters):
            format = format_of(codec, weight.path, weight.shape)
            size = stored_bytes(format, weight.shape)
            tensors.append(StoredTensor(name, weight.path, weight.shape, format, size))
    return tensors


def with_format(tensor: StoredTensor, format: str) -> StoredTensor:
    """Return the tensor in another format."""
    return tensor._replace(format=format, size=stored_bytes(format, tensor.shape))


def graph_overhead(rounds: int) -> int:
    """Upper bound of the bytes of a member's operations; grows with the number of sampling rounds."""
    return MEMBER_BYTES + rounds * ROUND_BYTES


def total_bytes(tensors: Iterable[StoredTensor]) -> int:
    """Bytes of the tensors' codes."""
    return sum(tensor.size for tensor in tensors)


def group_sizes(tensors: Iterable[StoredTensor]) -> dict[str, dict[str, dict[str, Any]]]:
    """Weights, bytes and formats by member and by group: the layer that a tensor's path begins with.

    Formats are those of large tensors, by decreasing number of weights; float32 where none was encoded.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for tensor in sorted(tensors, key=lambda tensor: -math.prod(tensor.shape)):
        group = found.setdefault(tensor.member, {}).setdefault(
            tensor.path.partition("/")[0], {"weights": 0, "bytes": 0, "formats": []}
        )
        group["weights"] += math.prod(tensor.shape)
        group["bytes"] += tensor.size
        if tensor.format not in group["formats"] and (not group["formats"] or tensor.format != "float32"):
            group["formats"].append(tensor.format)
    return found


def member_bytes(recipe: Recipe, blend: Ensemble) -> list[int]:
    """Bytes that each member of an ensemble adds to its graph, in order."""
    overhead = graph_overhead(blend.rounds)
    return [overhead + total_bytes(stored(recipe, [name], blend.codec)) for name in blend.members]


def check_size(
    name: str, blend: Ensemble, tensors: Sequence[StoredTensor], written: int | None = None
) -> None:
    """Raise KitError if an ensemble exceeds its size limit, 2^30 bytes in the competition.

    written: bytes on disk; None to count the tensors alone, before anything is written. The message gives the
    excess, the largest members and tensors, and the most precise codec that would fit.
    """
    codes = total_bytes(tensors)
    total, limit = written or codes, blend.limit
    if total <= limit:
        return
    members: Counter[str] = Counter()
    for tensor in tensors:
        members[tensor.member] += tensor.size
    largest = sorted(tensors, key=lambda tensor: -tensor.size)[:NAMED]
    overhead = written - codes if written else len(members) * graph_overhead(blend.rounds)
    fits = fitting(tensors, limit - overhead)
    advice = f"codec {fits} would fit" if fits else "no codec would fit: leave members out"
    raise KitError(
        f"ensemble {name} is {total:,} bytes as {blend.codec}, {total - limit:,} over the limit of "
        f"{limit:,}; nothing was written. Largest members: {_listed(members.most_common(NAMED))}; "
        f"largest tensors: {_listed([(f'{t.member} {t.path}', t.size) for t in largest])}; {advice}."
    )


def _listed(sizes: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes)
