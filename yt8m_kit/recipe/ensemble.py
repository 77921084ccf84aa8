"""Ensembles: members blended into one graph."""

from dataclasses import dataclass
from typing import Annotated, Literal

from yt8m_kit.codecs.formats import CODECS
from yt8m_kit.errors import UsageError, did_you_mean
from yt8m_kit.fields import Count, Interval, NonNegative, Share, checked

SIZE_LIMIT = 2**30  # bytes of the exported model, uncompressed: two accepted entries exceeded 10^9


@checked
@dataclass(frozen=True)
class Ensemble:
    """Members blended into one graph.

    members: names; with searched weights, the candidates. weights: one per member (they need not sum to one),
    or None to search them on the validation split. rounds: sampling rounds averaged in the graph.
    codec: storage format of large tensors; mixed: the format of each is chosen for the blend within `limit`.
    limit: bytes of the exported graph. calibrated: codes of 8 bits or fewer are rounded to minimise the error
    of the layers' outputs on videos of the train split. arithmetic: of matrix products in the graph; bfloat16
    ones have float32 sums, and matrices are kept as bfloat16 in memory.
    published_*: values reported by the authors (MiB, GAP@20), None if not reported.
    Raises UsageError for a wrong value.
    """

    members: tuple[str, ...]
    weights: tuple[NonNegative, ...] | None = None
    codec: str = "uint8"
    rounds: Count = 1
    limit: Annotated[int, Interval(1, SIZE_LIMIT)] = SIZE_LIMIT
    calibrated: bool = False
    arithmetic: Literal["float32", "bfloat16"] = "float32"
    published_mib: NonNegative | None = None
    published_public: Share | None = None
    published_private: Share | None = None

    def __post_init__(self) -> None:
        if not self.members:
            raise UsageError("an ensemble needs at least one member; got none.")
        if len(set(self.members)) < len(self.members):
            raise UsageError(f"members must differ; got {', '.join(self.members)}.")
        self._check_weights()
        if self.codec not in CODECS:
            raise UsageError(
                f"codec must be one of {', '.join(CODECS)}; got {self.codec!r}."
                + did_you_mean(self.codec, CODECS)
            )

    def _check_weights(self) -> None:
        if self.weights is None:
            return
        if len(self.weights) != len(self.members):
            raise UsageError(
                f"weights must match members; got {len(self.weights)} for {len(self.members)} members."
            )
        if not any(self.weights):
            raise UsageError("weights must hold one over 0; got only zeros.")

    @property
    def is_measured(self) -> bool:
        """Whether quantization needs videos, for bit allocation or calibrated rounding."""
        return self.codec == "mixed" or self.calibrated
