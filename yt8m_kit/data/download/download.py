"""Download the official records over several connections from several mirrors; present files are kept.

The only state of a download is its folder: complete files under their names, partial ones as NAME.part. So
the same command resumes after any interruption, and concurrent runs share the work.
"""

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_kit.data.download.mirrors import Mirrors, RetryPolicy
from yt8m_kit.data.download.partition import Partition, Shard, parse_plan, select
from yt8m_kit.data.download.probe import probe
from yt8m_kit.data.download.transfer import Outcome, TransferProgress, fetch, fetch_small
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.checksums import check_checksum, write_with_checksum

MIRRORS = {name: f"http://{name}.data.yt8m.org" for name in ("us", "eu", "asia")}
PLANS = "http://data.yt8m.org"
LABELS = "https://research.google.com"
_RECHECK = 0.2  # seconds between checks of a file that another run is downloading
_POLICY = RetryPolicy()


class Sources(NamedTuple):
    """Base URLs in order of preference: of plans and the PCA, of records, of label names."""

    plans: Sequence[str]
    records: Sequence[str]
    labels: Sequence[str]


def sources(mirror: str = "us", urls: str | None = None) -> Sources:
    """The official servers, `mirror` first; or the comma-separated `urls` for everything."""
    if urls:
        given = [url.strip() for url in urls.split(",")]
        return Sources(given, given, given)
    ordered = sorted(MIRRORS, key=lambda name: name != mirror)
    records = [MIRRORS[name] for name in ordered]
    return Sources([PLANS, *records], records, [LABELS])


def read_plan(partition: Partition, data: Path, urls: Sequence[str], policy: RetryPolicy = _POLICY) -> bytes:
    """Read the partition's plan: the copy stored below `data`, else the one of a server.

    Raises KitError if the stored copy is damaged or no server has the plan.
    """
    stored = data / partition.plan
    if not stored.exists():
        return fetch_small(partition.plan, Mirrors(urls, policy), parse_plan)
    text = stored.read_bytes()
    try:
        parse_plan(text)
    except DataError as error:
        raise DataError(f"{stored}: {error}. Delete it; it is downloaded again.") from None
    check_checksum(stored)
    return text


def absent(shards: Sequence[Shard], folder: Path) -> list[Shard]:
    """The shards that the folder lacks, both under their local and under their remote name."""
    present = set(os.listdir(folder)) if folder.is_dir() else set()
    return [shard for shard in shards if not {shard.local, shard.remote} & present]


def download(
    data: Path,
    partition: Partition,
    origin: Sources,
    *,
    share: tuple[int, int] | None = None,
    limit: int | None = None,
    connections: int = 8,
    dry_run: bool = False,
    policy: RetryPolicy = _POLICY,
) -> Path:
    """Download the chosen files of a partition into its folder below `data`, and return the folder.

    share: (X, Y), the X-th of Y parts. limit: the first `limit` files of these. dry_run: only estimate the
    download. Prints a summary and each missing file on stderr.
    Raises UsageError if no file is chosen or the disk is too small, KitError if files are missing at the end
    or for a disk error.
    """
    folder = partition.folder(data)
    text = read_plan(partition, data, origin.plans, policy)
    plan = parse_plan(text)
    chosen = select(plan, share, limit)
    wanted = absent(chosen, folder)
    present = len(chosen) - len(wanted)
    if dry_run:
        estimate = _estimate(wanted, folder, partition, origin.records, connections, policy, timed=True)
        progress.say(f"{partition}: {len(chosen):,} of {len(plan):,} files, {present:,} already present")
        progress.say(_forecast(len(wanted), estimate, connections, _free(folder)))
        return folder
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        store_plan(data / partition.plan, text)
        estimate = _estimate(wanted, folder, partition, origin.records, connections, policy, timed=False)
        _check_space(estimate, folder)
        pool = DownloadPool(partition, folder, Mirrors(origin.records, policy), connections)
        pool.fetch_all(wanted, estimate.mean)
    progress.say(
        f"{partition}: {progress.plural(len(chosen), 'file')}, all {'' if wanted else 'already '}present"
    )
    return folder


def store_plan(path: Path, text: bytes) -> None:
    """Store the text of a plan unless one is stored already."""
    if not path.exists():
        write_with_checksum(path, text)


class Estimate(NamedTuple):
    """Mean bytes per file, bytes left to download, bytes a second; None: unknown."""

    mean: float | None = None
    left: float | None = None
    rate: float | None = None


def _estimate(
    wanted: Sequence[Shard],
    folder: Path,
    partition: Partition,
    urls: Sequence[str],
    connections: int,
    policy: RetryPolicy,
    *,
    timed: bool,
) -> Estimate:
    """Estimate from a sample of the files, one per connection."""
    if not wanted:
        return Estimate(0.0, 0.0)
    step = -(-len(wanted) // connections)
    paths = [f"{partition}/{shard.remote}" for shard in wanted[::step]]
    mean, rate = probe(paths, Mirrors(urls, policy), timed=timed)
    if mean is None:
        return Estimate()
    parts = [folder / f"{shard.local}.part" for shard in wanted]
    received = sum(part.stat().st_size for part in parts if part.exists())
    return Estimate(mean, max(0.0, mean * len(wanted) - received), rate)


def _free(folder: Path) -> int:
    """Free bytes on the disk of the folder, which may not exist yet."""
    return shutil.disk_usage(
        next(path for path in (folder, *folder.absolute().parents) if path.exists())
    ).free


def _check_space(estimate: Estimate, folder: Path) -> None:
    free = _free(folder)
    if estimate.left is not None and estimate.left > free:
        raise UsageError(
            f"about {progress.amount(estimate.left)} to download, {folder} has {progress.amount(free)} free: "
            "choose fewer files with --shard or --limit, or another disk with --data."
        )


def _forecast(files: int, estimate: Estimate, connections: int, free: int) -> str:
    if estimate.left is None:
        return f"{files} to download, of unknown size: no mirror responds; {progress.amount(free)} free"
    pace = ""
    if estimate.rate:
        needed = progress.duration(estimate.left / estimate.rate)
        pace = f", about {needed} at {progress.amount(estimate.rate)}/s over {connections} connections"
    return f"{files} to download, about {progress.amount(estimate.left)}{pace}; {progress.amount(free)} free"


class DownloadPool(TransferProgress):
    """Threads that download files into a folder, and their combined progress and outcomes."""

    def __init__(self, partition: Partition, folder: Path, mirrors: Mirrors, connections: int):
        self._partition, self._folder, self._mirrors = partition, folder, mirrors
        self._connections = connections
        self._lock = threading.Lock()
        self._queue: deque[Shard] = deque()
        self._done: dict[Shard, Outcome] = {}
        self._bar: Any = None
        self._mean: float | None = None

    def fetch_all(self, shards: Sequence[Shard], mean: float | None, *, replace: bool = False) -> None:
        """Download these files. mean: bytes per file for the progress bar, None: unknown.

        Raises KitError, after each of them was named, if files are missing at the end.
        """
        self._queue.extend(shards)
        self._mean = mean
        total = round(mean * len(shards)) if mean else None
        began = time.monotonic()
        trouble = ""
        try:
            with progress.bar(total, f"download {self._partition}", "B") as self._bar:
                self._run(replace)
        except OSError as error:
            raise KitError(
                f"cannot write in {self._folder}: {error.strerror or error}. Received data is kept; the same "
                "command resumes."
            ) from error
        except KitError as error:
            trouble = str(error)
        self._summarize(shards, time.monotonic() - began, trouble)

    def _run(self, replace: bool) -> None:
        with ThreadPoolExecutor(self._connections, "download") as pool:
            try:
                # Inside the try: Ctrl-C may arrive while the threads are being started.
                work = [pool.submit(self._work, replace) for _ in range(self._connections)]
                for thread in as_completed(work):
                    thread.result()
            finally:
                self._mirrors.cancel()

    def _work(self, replace: bool) -> None:
        """Download one file after the other until the queue is empty."""
        with self._mirrors.session() as session:
            while True:
                try:
                    shard = self._queue.popleft()
                except IndexError:
                    return
                source = (str(self._partition), session, self._mirrors)
                outcome = fetch(shard, self._folder, *source, self, replace=replace)
                if outcome.state == "busy":
                    self._queue.append(shard)
                    self._mirrors.wait(_RECHECK)
                else:
                    self._finish(shard, outcome)

    def _finish(self, shard: Shard, outcome: Outcome) -> None:
        with self._lock:
            self._done[shard] = outcome
            self._bar.set_postfix_str(f"{len(self._done)} files", refresh=False)
        if outcome.reason:
            progress.say(f"missing: {shard.local} ({shard.remote}): {outcome.reason}")

    def set_total(self, size: int) -> None:
        """Correct the bar's estimated total by the size of a file."""
        with self._lock:
            if self._mean and self._bar.total:
                self._bar.total += size - self._mean

    def advance(self, size: int) -> None:
        """Advance the bar."""
        with self._lock:
            self._bar.update(size)

    def _summarize(self, shards: Sequence[Shard], seconds: float, trouble: str) -> None:
        outcomes = list(self._done.values())
        missing = [s for s in shards if s not in self._done or self._done[s].state == "missing"]
        received = sum(outcome.received for outcome in outcomes)
        notes = {
            "resumed": sum(1 for outcome in outcomes if outcome.resumed),
            "fetched again after a wrong MD5": sum(1 for outcome in outcomes if outcome.retries),
            "fetched by another run": sum(1 for outcome in outcomes if outcome.state == "present"),
        }
        fetched = progress.plural(sum(1 for outcome in outcomes if outcome.state == "fetched"), "file")
        pace = f"{progress.amount(received / max(seconds, 1e-3))}/s"
        progress.say(
            f"{fetched} fetched, {progress.amount(received)} in {progress.duration(seconds)}, {pace}"
            + "".join(f"; {count} {note}" for note, count in notes.items() if count)
        )
        for shard in missing:
            if shard not in self._done:
                progress.say(f"missing: {shard.local} ({shard.remote}): not completed")
        if missing:
            why = f": {trouble}" if trouble else "."
            raise KitError(
                f"{len(missing)} of {len(shards)} files are missing in {self._folder}{why} "
                "They are named above; the same command resumes."
            )
