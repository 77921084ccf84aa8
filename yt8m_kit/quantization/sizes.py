"""The competition's limit: what an exported graph weighs, and what to do where that is too much."""

from collections import Counter
from collections.abc import Sequence

from yt8m_kit import codecs
from yt8m_kit.errors import KitError
from yt8m_kit.plan import Stored
from yt8m_kit.recipe import Ensemble

NAMED = 3  # members and tensors that a refusal names
# A graph's operations, beside its codes, are about as large for small models as for large ones.
MEMBER_BYTES, ROUND_BYTES = 120_000, 80_000


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
    fitting = codecs.fitting([(tensor.path, tensor.shape) for tensor in tensors], limit - beside)
    advice = f"codec {fitting} would fit" if fitting else "no codec would fit: leave members out"
    raise KitError(
        f"ensemble {name} is {total:,} bytes as {blend.codec}, {total - limit:,} over the limit of "
        f"{limit:,}; nothing was written. Largest members: {_listed(members.most_common(NAMED))}; "
        f"largest tensors: {_listed([(f'{t.member} {t.path}', t.size) for t in largest])}; {advice}."
    )


def _listed(sizes: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes)
