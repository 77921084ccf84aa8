"""Verify shards: MD5 against the published one, framing, and every record as the reader parses it."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.download.download import DownloadPool, Sources, read_plan, store_plan
from yt8m_kit.data.download.mirrors import Mirrors, RetryPolicy
from yt8m_kit.data.download.partition import Partition, Shard, parse_plan
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.manifest import Finding, Manifest, size_of, stamp
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer, open_shards
from yt8m_kit.data.validation.anomalies import Use
from yt8m_kit.data.validation.check import SAMPLED, copy_errors, report
from yt8m_kit.data.validation.sampling import sample
from yt8m_kit.data.validation.statistics import SplitStatistics
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.facts import Table
from yt8m_kit.output.tables import Row
from yt8m_kit.stores.path import DataPath, StorePath

_BLOCK = 1 << 20  # bytes hashed at a time
_LISTED = 10  # faults of a shard that are listed in full
_SAVE = 30.0  # seconds between saves of the manifest
_CONNECTIONS = 8  # of a repair
_POLICY = RetryPolicy()


def examine(
    path: DataPath, dataset: Dataset, advance: Callable[[int], object], statistics: SplitStatistics
) -> Finding:
    """Read a whole shard: its MD5 and the faults of its records. advance: called with the bytes read.

    statistics: the records are added to them. Never raises for the contents of the file or for a read error
    of the disk.
    """
    digest = hashlib.md5(usedforsecurity=False)
    faults: list[tuple[int | None, str]] = []
    records = 0
    try:
        files = open_shards([path])
        block, at = memoryview(bytearray(_BLOCK)), 0
        while size := os.preadv(files[0], [block], at):
            digest.update(block[:size])
            advance(size)
            at += size
        with ShardGroup([path], files) as group:  # from the page cache
            records, buffer = len(group), RecordBuffer()
            for record in range(records):
                try:
                    statistics.add(group.load(record, dataset, buffer, check_crc=True))
                except RecordError as fault:
                    faults.append((fault.record, fault.reason))
                    statistics.add_fault(fault)
            for hiding in group.faults:
                faults.insert(0, (hiding.record, hiding.reason))
                statistics.add_fault(hiding)
    except (OSError, DataError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).removeprefix(f"{path}: ")
        return Finding("", records, len(faults) + 1, [(None, f"cannot be read: {why}"), *faults][:_LISTED])
    return Finding(digest.hexdigest(), records, len(faults), faults[:_LISTED])


class OfficialFolder(NamedTuple):
    """A folder of official shards: its partition, and the shards of its plan by local and remote name."""

    partition: Partition
    shards: Mapping[str, Shard]


def official_folder(folder: DataPath, origin: Sources | None, policy: RetryPolicy) -> OfficialFolder | None:
    """Recognize a folder by its path, as download creates it; None for any other.

    origin: where to download its plan if it is not stored; None: without a stored plan the result is None.
    """
    folder = folder.absolute()
    try:
        version, level, split = folder.parts[-3:]
        partition, root = Partition(version, level, split), folder.parents[2]
    except (ValueError, UsageError):
        return None
    if origin is None and not (root / partition.plan).exists():
        return None
    text = read_plan(partition, root, origin.plans if origin else (), policy)
    store_plan(root / partition.plan, text)
    return OfficialFolder(partition, {name: s for s in parse_plan(text) for name in (s.local, s.remote)})


def verify(
    paths: Sequence[DataPath],
    dataset: Dataset,
    origin: Sources,
    *,
    split: str = "train",
    repair: bool = False,
    again: bool = False,
    threads: int | None = None,
    policy: RetryPolicy = _POLICY,
    show: Callable[[Table], object] = lambda _: None,
) -> DataPath:
    """Verify the new and changed shards of one folder; returns the path of its manifest.

    Bad shards are named on stderr, then statistics of the split as a whole and what speaks against its use.
    repair: shards that differ from the published ones are downloaded again from `origin`. again: unchanged
    shards are verified, too. threads: shards at a time, by default one per core. show: called with a row for
    each shard, also where some are bad. Raises KitError if bad
    shards remain or the split cannot be used, UsageError for a repair of a folder without official shards.
    """
    folder = paths[0].parent
    official = official_folder(folder, origin if repair else None, policy)
    if repair and isinstance(folder, StorePath):
        raise UsageError(f"{folder} cannot be repaired: delete its bad shards and run `yt8m download` again.")
    if repair and official is None:
        raise UsageError(
            f"{folder} is not an official folder, such as 2/frame/train: there is nothing to repair it from."
        )
    inspection = Inspection(folder, dataset, official, threads or os.cpu_count() or 1)
    bad = inspection.inspect(paths, again)
    altered = [path for path in bad if not inspection.is_as_published(path)]
    if repair and official and altered:
        renewed = _replace([path for path in altered if isinstance(path, Path)], official, origin, policy)
        paths = sorted({*paths} - {*altered} | {*renewed})
        bad = [path for path in bad if path not in altered] + inspection.inspect(renewed, again=False)
    errors = inspection.check(paths, split)
    show(inspection.table(paths))
    if bad:
        repairable = official and altered and not repair
        hint = " --repair downloads those again that differ from the published ones." if repairable else ""
        also = f" {'; '.join(errors)}." if errors else ""
        raise KitError(f"{len(bad)} of {len(paths)} shards in {folder} are bad, named above.{hint}{also}")
    if errors:
        inspection.forget()
        raise KitError(f"the {split} records in {folder} cannot be used: {'; '.join(errors)}.")
    return inspection.manifest.path


def _replace(
    paths: Sequence[Path], official: OfficialFolder, origin: Sources, policy: RetryPolicy
) -> list[Path]:
    """Replace shards by those of a mirror, each as soon as its replacement is verified."""
    folder = paths[0].parent
    shards = [official.shards[path.name] for path in paths]
    connections = min(_CONNECTIONS, len(shards))
    pool = DownloadPool(official.partition, folder, Mirrors(origin.records, policy), connections)
    pool.fetch_all(shards, None, replace=True)
    renewed = [folder / shard.local for shard in shards]
    for path in set(paths) - set(renewed):
        path.unlink()  # it had the remote name; its replacement has the local one
    return renewed


class Inspection:
    """Inspection of a folder's shards, and the manifest of its findings."""

    def __init__(self, folder: DataPath, dataset: Dataset, official: OfficialFolder | None, threads: int):
        self._dataset, self._official, self._threads = dataset, official, threads
        self._findings: dict[DataPath, Finding] = {}
        self._statistics, self._read = SplitStatistics(dataset), set[DataPath]()
        self.manifest = Manifest(folder, dataset)

    def inspect(self, paths: Sequence[DataPath], again: bool) -> list[DataPath]:
        """Examine the shards, print their faults and a summary; returns the bad ones."""
        known = {} if again else {path: kept for path in paths if (kept := self.manifest.get(path))}
        shards, new = progress.plural(len(paths), "shard"), len(paths) - len(known)
        progress.say(f"verify {self.manifest.path.parent}: {shards}, {new:,} to read")
        self._findings |= known | self._examine([path for path in paths if path not in known])
        bad = [path for path in paths if self._print_faults(path)]
        count = sum(self._findings[path].records for path in paths)
        counts = f"{progress.plural(len(paths), 'shard')}, {progress.plural(count, 'record')}"
        unplanned = "" if self._official else "; no download plan is stored here, MD5s were not compared"
        progress.say(f"{counts}: {len(bad) or 'none'} bad; {len(known)} unchanged{unplanned}")
        return bad

    def _examine(self, paths: Sequence[DataPath]) -> dict[DataPath, Finding]:
        if not paths:
            return {}
        found: dict[DataPath, Finding] = {}
        saved = time.monotonic()
        size = sum(map(size_of, paths))
        lock = threading.Lock()
        with progress.bar(size, f"verify {paths[0].parent.name}", "B") as bar:

            def advance(size: int) -> None:
                with lock:
                    bar.update(size)

            pool = ThreadPoolExecutor(self._threads, "verify")
            try:
                work = {}
                for path in paths:
                    statistics = SplitStatistics(self._dataset)
                    submitted = pool.submit(examine, path, self._dataset, advance, statistics)
                    work[submitted] = path, stamp(path), statistics
                for done in as_completed(work):
                    path, opened, statistics = work.pop(done)
                    found[path] = done.result()
                    self.manifest.put(path, opened, found[path])
                    self._read.add(path)
                    if self._is_published(path, found[path]):
                        self._statistics.merge(statistics)
                    if time.monotonic() - saved > _SAVE:
                        self.manifest.save()
                        saved = time.monotonic()
            finally:
                pool.shutdown(cancel_futures=True)
                self.manifest.save()
        return found

    def check(self, paths: Sequence[DataPath], split: str) -> list[str]:
        """Print statistics and warnings of the shards read, or of a sample if none was; returns errors."""
        statistics, use = self._statistics, Use(labels=split != "test", unique=split == "test")
        statistics.is_complete = self._read.issuperset(paths)
        what = f"{split}, {len(self._read):,} of {progress.plural(len(paths), 'shard')}"
        if not statistics.records:
            statistics, what = sample(paths, self._dataset, SAMPLED), f"{split}, a sample"
        return [*copy_errors(paths), *report(statistics, self._dataset, what, use, paths)]

    def table(self, paths: Sequence[DataPath]) -> Table:
        """A row for each shard: records, faults, its MD5 and whether that is the published one."""
        return Table([self._row(path) for path in paths])

    def _row(self, path: DataPath) -> Row:
        finding = self._findings[path]
        known = bool(self._official and path.name in self._official.shards)
        return {
            "shard": path.name,
            "records": finding.records,
            "bad records": finding.bad,
            "md5": finding.md5,
            "as published": self.is_as_published(path) if known else None,
            "faults": [reason for _, reason in finding.faults],
        }

    def forget(self) -> None:
        """Remove the shards that were read now from the manifest, so that they are read again next time."""
        self.manifest.remove(self._read)

    def is_as_published(self, path: DataPath) -> bool:
        """Whether the MD5 is the one of the plan; true for a file that the plan does not list."""
        return self._is_published(path, self._findings[path])

    def _is_published(self, path: DataPath, finding: Finding) -> bool:
        shard = self._official.shards.get(path.name) if self._official else None
        return shard is None or finding.md5 == shard.md5

    def _print_faults(self, path: DataPath) -> bool:
        """Print the faults of a shard; returns whether there are any."""
        finding = self._findings[path]
        lines = [] if self.is_as_published(path) else [f"{path.name}: its MD5 differs from the published one"]
        for record, reason in finding.faults:
            lines.append(f"{path.name}{'' if record is None else f' record {record}'}: {reason}")
        if finding.bad > len(finding.faults):
            lines.append(f"{path.name}: and {finding.bad - len(finding.faults)} more")
        for line in lines:
            progress.say(f"bad: {line}")
        return bool(lines)
