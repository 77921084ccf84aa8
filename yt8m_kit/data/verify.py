"""Whether shards are what was published and can be read: MD5, framing, every record as the reader has it."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.download.download import Crew, Sources, keep_plan, plan_of
from yt8m_kit.data.download.mirrors import Mirrors, Patience
from yt8m_kit.data.download.partition import Partition, Shard, parse_plan
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.manifest import Finding, Manifest, stamp
from yt8m_kit.data.reading.shard_group import Group
from yt8m_kit.data.reading.shards import Buffer
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.output import progress

_BLOCK = 1 << 20  # bytes hashed at a time
_KEPT = 10  # faults of a shard that are spelt out
_SAVE = 30.0  # seconds between two saves of the manifest
_CONNECTIONS = 8  # for a repair
_PATIENCE = Patience()


def examine(path: Path, dataset: Dataset, moved: Callable[[int], object]) -> Finding:
    """Reads a shard to its end: its MD5, and what is wrong with its records. moved is told the bytes read.

    Never raises for what is in the file, or for a disk that cannot read it.
    """
    digest = hashlib.md5(usedforsecurity=False)
    faults: list[tuple[int | None, str]] = []
    records = 0
    try:
        with path.open("rb", buffering=0) as file:
            block = memoryview(bytearray(_BLOCK))
            while size := file.readinto(block):
                digest.update(block[:size])
                moved(size)
        with Group([path]) as group:  # from the page cache
            records, buffer = len(group), Buffer()
            faults += [(fault.record, fault.reason) for fault in group.faults]
            for record in range(records):
                try:
                    group.load(record, dataset, buffer, check_crc=True)
                except RecordError as fault:
                    faults.append((fault.record, fault.reason))
    except (OSError, DataError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).removeprefix(f"{path}: ")
        return Finding("", records, len(faults) + 1, [(None, f"cannot be read: {why}"), *faults][:_KEPT])
    return Finding(digest.hexdigest(), records, len(faults), faults[:_KEPT])


class Plan(NamedTuple):
    """What a folder should hold: its partition, the folder of all partitions, shards by both their names."""

    partition: Partition
    root: Path
    shards: Mapping[str, Shard]


def plan_for(folder: Path, origin: Sources | None, patience: Patience = _PATIENCE) -> Plan | None:
    """The plan of a folder that lies where download puts it; None for one that does not.

    origin: where to get it if it is not kept; None: then there is none.
    """
    folder = folder.absolute()
    try:
        version, level, split = folder.parts[-3:]
        partition, root = Partition(version, level, split), folder.parents[2]
    except (ValueError, UsageError):
        return None
    if origin is None and not (root / partition.plan).exists():
        return None
    text = plan_of(partition, root, origin.plans if origin else (), patience)
    keep_plan(root / partition.plan, text)
    return Plan(partition, root, {name: s for s in parse_plan(text) for name in (s.local, s.remote)})


def verify(
    paths: Sequence[Path],
    dataset: Dataset,
    origin: Sources,
    *,
    repair: bool = False,
    again: bool = False,
    threads: int | None = None,
    patience: Patience = _PATIENCE,
) -> Path:
    """Looks at the shards of one folder, those that have not changed since excepted; returns its manifest.

    What is bad is named on stderr. repair: shards that are not as published are fetched anew from `origin`.
    again: unchanged ones are looked at, too. threads: shards at a time, one for each core by default.
    Raises KitError if bad shards remain, UsageError for a repair of a folder that is no official one.
    """
    folder = paths[0].parent
    plan = plan_for(folder, origin if repair else None, patience)
    if repair and plan is None:
        raise UsageError(f"{folder} is no official folder, such as 2/frame/train: nothing to repair it from.")
    inspection = Inspection(folder, dataset, plan, threads or os.cpu_count() or 1)
    bad = inspection.look(paths, again)
    altered = [path for path in bad if not inspection.as_published(path)]
    if repair and plan and altered:
        bad = [path for path in bad if path not in altered]
        bad += inspection.look(_fetch_anew(altered, plan, origin, patience), again=False)
    if bad:
        hint = (
            " --repair fetches those anew that are not as published."
            if plan and altered and not repair
            else ""
        )
        raise KitError(f"{len(bad)} of {len(paths)} shards in {folder} are bad, named above.{hint}")
    return inspection.manifest.path


def _fetch_anew(paths: Sequence[Path], plan: Plan, origin: Sources, patience: Patience) -> list[Path]:
    """Replaces shards by those of a mirror, each at the moment when that is here and right."""
    folder = paths[0].parent
    shards = [plan.shards[path.name] for path in paths]
    crew = Crew(plan.partition, folder, Mirrors(origin.records, patience), min(_CONNECTIONS, len(shards)))
    crew.bring(shards, None, replace=True)
    renewed = [folder / shard.local for shard in shards]
    for path in set(paths) - set(renewed):
        path.unlink()  # it went by the server's name; the good one goes by the local one
    return renewed


class Inspection:
    """A look at the shards of a folder, and the manifest of what was found."""

    def __init__(self, folder: Path, dataset: Dataset, plan: Plan | None, threads: int):
        self._dataset, self._plan, self._threads = dataset, plan, threads
        self._found: dict[Path, Finding] = {}
        self.manifest = Manifest(folder, dataset)

    def look(self, paths: Sequence[Path], again: bool) -> list[Path]:
        """Examines the shards, says what is wrong with each and a word on all; returns those that are bad."""
        known = {} if again else {path: kept for path in paths if (kept := self.manifest.get(path))}
        self._found = known | self._examine([path for path in paths if path not in known])
        bad = [path for path in paths if self._say(path)]
        count = sum(finding.records for finding in self._found.values())
        looked = f"{progress.plural(len(paths), 'shard')}, {progress.plural(count, 'record')}"
        unplanned = "" if self._plan else "; no plan is kept here, MD5s were not compared"
        progress.say(f"{looked}: {len(bad) or 'none'} bad; {len(known)} had not changed{unplanned}")
        return bad

    def _examine(self, paths: Sequence[Path]) -> dict[Path, Finding]:
        if not paths:
            return {}
        found: dict[Path, Finding] = {}
        saved = time.monotonic()
        size = sum(path.stat().st_size for path in paths)
        lock = threading.Lock()
        with progress.bar(size, f"verify {paths[0].parent.name}", "B") as bar:

            def moved(size: int) -> None:
                with lock:
                    bar.update(size)

            pool = ThreadPoolExecutor(self._threads, "verify")
            try:
                work = {
                    pool.submit(examine, path, self._dataset, moved): (path, stamp(path)) for path in paths
                }
                for done in as_completed(work):
                    path, then = work[done]
                    found[path] = done.result()
                    self.manifest.put(path, then, found[path])
                    if time.monotonic() - saved > _SAVE:
                        self.manifest.save()
                        saved = time.monotonic()
            finally:
                pool.shutdown(cancel_futures=True)
                self.manifest.save()
        return found

    def as_published(self, path: Path) -> bool:
        """Whether its MD5 is the plan's; also for a file of which the plan does not know."""
        shard = self._plan.shards.get(path.name) if self._plan else None
        return shard is None or self._found[path].md5 == shard.md5

    def _say(self, path: Path) -> bool:
        """Names what is wrong with a shard; whether there is anything."""
        finding = self._found[path]
        lines = [] if self.as_published(path) else [f"{path.name}: its MD5 is not the published one"]
        for record, reason in finding.faults:
            lines.append(f"{path.name}{'' if record is None else f' record {record}'}: {reason}")
        if finding.bad > len(finding.faults):
            lines.append(f"{path.name}: and {finding.bad - len(finding.faults)} more")
        for line in lines:
            progress.say(f"bad: {line}")
        return bool(lines)
