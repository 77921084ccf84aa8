"""Records and shards that were skipped while reading, each counted once."""

import itertools
from collections.abc import Iterator

from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.output.progress import plural
from yt8m_kit.stores.path import DataPath

_NAMED = 3  # faults that a summary lists in full


class Faults:
    """Skipped records and shards, each counted once however often it is read."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[DataPath, int | None], str] = {}

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
