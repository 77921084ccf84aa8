"""Download the official records over several connections from several mirrors; present files are kept.

The only state of a download is its folder: complete files under their names, partial ones as NAME.part. So
the same command resumes after any interruption, and concurrent runs share the work.
"""

import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_kit.data.download.estimate import check_space, estimate, forecast, free_space
from yt8m_kit.data.download.mirrors import Mirrors, RetryPolicy
from yt8m_kit.data.download.partition import Partition, Shard, parse_plan, select
from yt8m_kit.data.download.transfer import Outcome, TransferProgress, fetch, fetch_small
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.checksums import check_checksum, write_with_checksum
from yt8m_kit.stores.path import DataPath, P, StorePath

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


def read_plan(
    partition: Partition, data: DataPath, urls: Sequence[str], policy: RetryPolicy = _POLICY
) -> bytes:
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


def absent(shards: Sequence[Shard], folder: DataPath) -> list[Shard]:
    """The shards that the folder lacks, both under their local and under their remote name."""
    if isinstance(folder, StorePath):
        present = set(folder.entries())
    else:
        present = set(os.listdir(folder)) if folder.is_dir() else set()
    return [shard for shard in shards if not {shard.local, shard.remote} & present]


@contextmanager
def _staging(folder: DataPath, partition: Partition) -> Iterator[Path]:
    """The local folder into which files are downloaded: `folder`, or one from which they are uploaded there.

    That is in YT8M_CACHE, where an interrupted file is resumed, else a temporary one.
    """
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    elif kept := os.environ.get("YT8M_CACHE"):
        staging = Path(kept) / "download" / str(partition)
        staging.mkdir(parents=True, exist_ok=True)
        yield staging
    else:
        with tempfile.TemporaryDirectory(prefix="yt8m") as temporary:
            yield Path(temporary)


def download(
    data: P,
    partition: Partition,
    origin: Sources,
    *,
    share: tuple[int, int] | None = None,
    limit: int | None = None,
    connections: int = 8,
    dry_run: bool = False,
    policy: RetryPolicy = _POLICY,
) -> P:
    """Download the chosen files of a partition into its folder below `data`, and return the folder.

    In an object store, files are uploaded one by one, each as soon as it is complete and verified.

    share: (X, Y), the X-th of Y parts. limit: the first `limit` files of these. dry_run: only estimate the
    download. Prints a summary and each missing file on stderr.
    Raises UsageError if no file is chosen, the disk is too small or `data` is on a web server; KitError if
    files are missing at the end or for a disk error.
    """
    folder = partition.folder(data)
    if isinstance(folder, StorePath) and not folder.is_writable:
        raise UsageError(f"cannot write to {folder}: only gs:// and s3:// can be written.")
    text = read_plan(partition, data, origin.plans, policy)
    plan = parse_plan(text)
    chosen = select(plan, share, limit)
    wanted = absent(chosen, folder)
    present = len(chosen) - len(wanted)
    if dry_run:
        expected = estimate(wanted, folder, partition, origin.records, connections, policy, timed=True)
        free = free_space(folder) if isinstance(folder, Path) else None
        progress.say(f"{partition}: {len(chosen):,} of {len(plan):,} files, {present:,} already present")
        progress.say(forecast(len(wanted), expected, connections, free))
        return folder
    files = progress.plural(len(wanted), "file")
    progress.say(f"download {partition} to {folder}: {files}, {present:,} already present")
    if wanted:
        store_plan(data / partition.plan, text)
        with _staging(folder, partition) as local:
            expected = estimate(wanted, local, partition, origin.records, connections, policy, timed=False)
            if isinstance(folder, Path):
                check_space(expected, folder)
            pool = DownloadPool(partition, local, Mirrors(origin.records, policy), connections, folder)
            pool.fetch_all(wanted, expected.mean)
    progress.say(
        f"{partition}: {progress.plural(len(chosen), 'file')}, all {'' if wanted else 'already '}present"
    )
    return folder


def store_plan(path: DataPath, text: bytes) -> None:
    """Store the text of a plan unless one is stored already."""
    if not path.exists():
        write_with_checksum(path, text)


class DownloadPool(TransferProgress):
    """Threads that download files into a folder, and their combined progress and outcomes.

    target: a folder in an object store, to which complete files are moved.
    """

    def __init__(
        self,
        partition: Partition,
        folder: Path,
        mirrors: Mirrors,
        connections: int,
        target: DataPath | None = None,
    ):
        self._target = target if isinstance(target, StorePath) else None
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
                    self._upload(shard, outcome)
                    self._finish(shard, outcome)

    def _upload(self, shard: Shard, outcome: Outcome) -> None:
        """Move a complete file to the object store; another run may have done so."""
        file = self._folder / shard.local
        if self._target and outcome.state != "missing" and file.exists():
            (self._target / shard.local).upload(file)
            file.unlink(missing_ok=True)

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
                f"{len(missing)} of {len(shards)} files are missing in {self._target or self._folder}{why} "
                "They are named above; the same command resumes."
            )
