"""Provenance records: the sources of each product, and the differences between two sets of sources.

Sources are JSON values by kind: "settings" (of the recipe), "dataset", "splits" (shards by name with bytes
and records), "products" (digests of other products by name), "format" (of the kit). None in
place of one of these is unknown and compares equal to anything.
"""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError
from yt8m_kit.output.digest import Stamp, digest, stamp
from yt8m_kit.output.sealed import ADVICE, read_sealed, write_sealed

Sources = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """Provenance of a product's files.

    files: digest and stamp by name. figures: results, to be shown. made: UTC, ISO 8601.
    seconds, cpu_seconds, bytes_read: wall time, CPU time and bytes read of the process that finished it, its
    child processes included; None: unknown. kit: its version. environment: commit, versions, processor.
    """

    sources: Sources
    files: dict[str, tuple[str, Stamp]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    made: str = ""
    seconds: float = 0.0
    kit: str = ""
    cpu_seconds: float | None = None
    bytes_read: int | None = None
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def local_time(self) -> str:
        """Time of completion, to the minute, in the local time zone."""
        return datetime.fromisoformat(self.made).astimezone().strftime("%Y-%m-%d %H:%M")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, (size, _) in self.files.values())


def now() -> str:
    """Return the time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def file_entry(path: Path) -> tuple[str, Stamp]:
    """Return digest and stamp of a file or folder for a record."""
    return digest(path), stamp(path)


def write_record(path: Path, record: Record) -> None:
    """Write a record atomically, with a checksum."""
    write_sealed(path, asdict(record))


def read_record(path: Path) -> Record | None:
    """Read a record, None if there is none. Raises KitError if it is damaged or was edited."""
    if not path.exists():
        return None
    body = read_sealed(path)
    try:
        files = {name: (known, list(at)) for name, (known, at) in body.pop("files").items()}
        return Record(files=files, **body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise KitError(f"{path} is not a record of sources: {error}. {ADVICE}") from None


def pending(path: Path) -> Path:
    """Path of the record `path` until its product has its final name."""
    return path.with_suffix(".next.json")


def is_pending_valid(path: Path, product: Path, name: str) -> bool:
    """Whether the pending record of `path` matches the content of `product`, the file `name` of the record.

    It does once the product has its final name; a process killed at that moment leaves the record pending.
    """
    try:
        record = read_record(pending(path))
        return record is not None and product.exists() and digest(product) == record.files[name][0]
    except KitError:  # damaged, or just promoted by the process that holds the run
        return False


def changes(before: Sources, after: Sources, splits: set[str] | None = None) -> list[str]:
    """List the differences, one phrase each; splits: those to be compared, None for all."""
    found: list[str] = []
    for kind in dict.fromkeys([*before, *after]):
        if kind == "splits":
            found += _split_changes(before.get(kind) or {}, after.get(kind) or {}, splits)
        elif kind == "products":
            found += _product_changes(before.get(kind) or {}, after.get(kind) or {})
        else:
            found += _value_changes(kind, before.get(kind), after.get(kind))
    return found


def _value_changes(name: str, before: Any, after: Any) -> list[str]:
    if before is None or after is None or before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        path = "" if name in ("settings", "dataset") else f"{name}."
        keys = dict.fromkeys([*before, *after])
        return [
            phrase
            for key in keys
            for phrase in _setting_changes(f"{path}{key}", before.get(key, ...), after.get(key, ...))
        ]
    return [f"{name} was {_shown(before)}, is now {_shown(after)}"]


def _setting_changes(name: str, before: Any, after: Any) -> list[str]:
    """List the changes of one setting, of which None is a valid value."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        return _value_changes(name, before, after)
    return [f"{name} was {_shown(before)}, is now {_shown(after)}"]


def _shown(value: Any) -> str:
    text = "not set" if value is ... else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _split_changes(before: Sources, after: Sources, wanted: set[str] | None) -> list[str]:
    found = []
    for split, now_there in after.items():
        then = before.get(split)
        if then is None or now_there is None or (wanted is not None and split not in wanted):
            continue
        found += _shard_changes(split, then, now_there)
    return found


def _shard_changes(split: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    if gone or new:
        example = f"e.g. {(new or gone)[0]}"
        return [f"the {split} split gained {len(new)} and lost {len(gone)} shards, {example}"]
    for name, (size, records) in after.items():
        old_size, old_records = before[name]
        if size != old_size:
            return [f"{name} had {old_size:,} bytes, now has {size:,}"]
        if None not in (records, old_records) and records != old_records:
            return [f"{name} had {old_records:,} records, now has {records:,}"]
    return []


def _product_changes(before: Sources, after: Sources) -> list[str]:
    gone = [f"{name} was removed" for name in before if name not in after]
    new = [f"{name} was added" for name in after if name not in before]
    both = [name for name in after if name in before and None not in (before[name], after[name])]
    return gone + new + [f"{name} has changed" for name in both if before[name] != after[name]]
