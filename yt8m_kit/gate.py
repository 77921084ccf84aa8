"""The competition's limit: what an exported graph weighs, and what to do where that is too much."""

from collections import Counter
from collections.abc import Sequence

from yt8m_kit import codecs
from yt8m_kit.errors import KitError
from yt8m_kit.plan import Stored

NAMED = 3  # members and tensors that a refusal names
GRAPH_SHARE = 0.01  # of a limit that is left for the graph's operations


def for_codes(limit: int) -> int:
    """Bytes of a limit that codes may take, the operations beside them."""
    return int(limit * (1 - GRAPH_SHARE))


def check_size(
    name: str, codec: str, tensors: Sequence[Stored], limit: int, written: int | None = None
) -> None:
    """Raises KitError where an ensemble is over the limit, 2^30 bytes in the competition.

    written: bytes on disk; None counts those of the tensors alone, before anything is written. The message
    says by how much, names the largest members and tensors, and the most exact codec that would fit.
    """
    total = written or sum(tensor.size for tensor in tensors)
    if total <= limit:
        return
    members: Counter[str] = Counter()
    for tensor in tensors:
        members[tensor.member] += tensor.size
    largest = sorted(tensors, key=lambda tensor: -tensor.size)[:NAMED]
    codes = sum(tensor.size for tensor in tensors)
    room = limit - (written - codes) if written else for_codes(limit)
    fitting = codecs.fitting([(tensor.path, tensor.shape) for tensor in tensors], room)
    advice = f"codec {fitting} would fit" if fitting else "no codec would fit: leave members out"
    raise KitError(
        f"ensemble {name} is {total:,} bytes as {codec}, {total - limit:,} over the limit of {limit:,}; "
        f"nothing was written. Largest members: {_listed(members.most_common(NAMED))}; "
        f"largest tensors: {_listed([(f'{t.member} {t.path}', t.size) for t in largest])}; {advice}."
    )


def _listed(sizes: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes)
