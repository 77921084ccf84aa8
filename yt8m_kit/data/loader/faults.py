"""Records and shards that were skipped while reading, and how many may be."""

import itertools
from collections.abc import Iterator, Sequence

from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.remedies import remedy
from yt8m_kit.errors import DataError
from yt8m_kit.output.progress import plural
from yt8m_kit.stores.path import DataPath

_NAMED = 3  # faults that a summary lists in full
_LEAST = 5000  # records of a shuffled split of which the skipped share is taken at least


class Faults:
    """Skipped records and shards, each listed once however often it is read.

    limit: largest share of the records that may be skipped. total: records of a single pass, of which the
    share is taken; None for shuffled epochs, where it is taken of the records read so far.
    """

    def __init__(self, limit: float = 1.0, total: int | None = None) -> None:
        self._reasons: dict[tuple[DataPath, int | None], str] = {}
        self._limit, self._total = limit, total
        self._read = self._skipped = 0  # over all epochs

    def count(self, good: int, faults: Sequence[RecordError]) -> None:
        """Add faults and count them next to `good` records. Raises DataError if too many are skipped."""
        for fault in faults:
            self.add(fault)
        skipped = len(faults) + sum(fault.hidden for fault in faults)
        self._skipped += skipped
        self._read += good + skipped
        if skipped:
            self._check(max(self._read, self._total or _LEAST))

    def end_epoch(self) -> None:
        """Raise DataError if too many of the records read so far were skipped, however few these are."""
        self._check(max(self._read, self._total or 0))

    def _check(self, records: int) -> None:
        if self._skipped > self._limit * records:
            raise DataError(
                f"at least {self._skipped:,} of {records:,} records are bad, more than the Dataset's "
                f"max_skipped={self._limit:g} allows: {self.summary()}. {remedy(self._reasons.values())}"
            )

    @property
    def progress(self) -> dict[str, str]:
        """The skipped share of the records read so far for a bar; empty if there is none."""
        return {"skipped": f"{self._skipped / self._read:.1%}"} if self._skipped else {}

    def add(self, fault: RecordError) -> None:
        """Add a fault; its record is None for a whole file."""
        self._reasons.setdefault((fault.file, fault.record), fault.reason)

    def __len__(self) -> int:
        return len(self._reasons)

    def __iter__(self) -> Iterator[tuple[DataPath, int | None, str]]:
        """Yield file, record (None: the whole file) and reason of each."""
        return ((file, record, reason) for (file, record), reason in self._reasons.items())

    def summary(self) -> str:
        """One line with the counts and the first few faults; empty if nothing was skipped."""
        if not self._reasons:
            return ""
        records = [file for file, record, _ in self if record is not None]
        files = len(self) - len(records)
        counts = []
        if records:
            counts.append(f"{plural(len(records), 'record')} in {plural(len(set(records)), 'shard')}")
        if files:
            counts.append(plural(files, "whole shard"))
        first = [
            f"{file.name}{'' if record is None else f' record {record}'}: {reason}"
            for file, record, reason in itertools.islice(self, _NAMED)
        ]
        more = [f"and {len(self) - _NAMED} more"] if len(self) > _NAMED else []
        return f"skipped {' and '.join(counts)}: {'; '.join(first + more)}"
