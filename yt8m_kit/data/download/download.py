"""The official records, over several connections, from whichever mirror answers; what is there stays.

The state of a download is the folder: whole files under their names, parts as NAME.part. Nothing else is
kept, so the same command goes on after anything, and runs at the same time share the work.
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

from yt8m_kit.data.download.mirrors import Mirrors, Patience
from yt8m_kit.data.download.partition import Partition, Shard, parse_plan, select
from yt8m_kit.data.download.probe import probe
from yt8m_kit.data.download.transfer import Outcome, Watch, fetch, fetch_small
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_shared

MIRRORS = {name: f"http://{name}.data.yt8m.org" for name in ("us", "eu", "asia")}
PLANS = "http://data.yt8m.org"
LABELS = "https://research.google.com"
_RECHECK = 0.2  # seconds until a file that another run is at is looked at again
_PATIENCE = Patience()


class Sources(NamedTuple):
    """Base URLs in the order of preference: of plans and the PCA, of records, of label names."""

    plans: Sequence[str]
    records: Sequence[str]
    labels: Sequence[str]


def sources(mirror: str = "us", urls: str | None = None) -> Sources:
    """The official servers, `mirror` first; or those in `urls`, separated by commas, for everything."""
    if urls:
        given = [url.strip() for url in urls.split(",")]
        return Sources(given, given, given)
    ordered = sorted(MIRRORS, key=lambda name: name != mirror)
    records = [MIRRORS[name] for name in ordered]
    return Sources([PLANS, *records], records, [LABELS])


def plan_of(partition: Partition, data: Path, urls: Sequence[str], patience: Patience = _PATIENCE) -> bytes:
    """The text of the partition's plan: the one kept below `data`, else as a server has it.

    Raises DataError if the kept one is damaged, KitError if no server has one.
    """
    kept = data / partition.plan
    if not kept.exists():
        return fetch_small(partition.plan, Mirrors(urls, patience), parse_plan)
    text = kept.read_bytes()
    try:
        parse_plan(text)
    except DataError as error:
        raise DataError(f"{kept}: {error}. Delete it: it is fetched again.") from None
    return text


def absent(shards: Sequence[Shard], folder: Path) -> list[Shard]:
    """Those of which the folder holds no file, neither under the local name nor under the server's."""
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    return [shard for shard in shards if not {shard.local, shard.remote} & there]


def download(
    data: Path,
    partition: Partition,
    origin: Sources,
    *,
    share: tuple[int, int] | None = None,
    limit: int | None = None,
    connections: int = 8,
    dry_run: bool = False,
    patience: Patience = _PATIENCE,
) -> Path:
    """Brings the chosen files of a partition into its folder below `data`, and returns that.

    share: (X, Y), the X-th of Y parts. limit: the first so many files of those. dry_run: only say what would
    be fetched. Says on stderr what was done, and names every file that could not be had.
    Raises UsageError if nothing can be chosen or the disk is too small, KitError if a file is missing at the
    end or the disk fails.
    """
    folder = partition.folder(data)
    text = plan_of(partition, data, origin.plans, patience)
    plan = parse_plan(text)
    chosen = select(plan, share, limit)
    wanted = absent(chosen, folder)
    there = len(chosen) - len(wanted)
    if dry_run:
        guess = _estimate(wanted, folder, partition, origin.records, connections, patience, timed=True)
        progress.say(f"{partition}: {len(chosen):,} of {len(plan):,} files, {there:,} of them there")
        progress.say(_forecast(len(wanted), guess, connections, _free(folder)))
        return folder
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        keep_plan(data / partition.plan, text)
        guess = _estimate(wanted, folder, partition, origin.records, connections, patience, timed=False)
        _check_space(guess, folder)
        Crew(partition, folder, Mirrors(origin.records, patience), connections).bring(wanted, guess.mean)
    progress.say(
        f"{partition}: {progress.plural(len(chosen), 'file')}, all there" + ("" if wanted else " before")
    )
    return folder


def keep_plan(path: Path, text: bytes) -> None:
    """Keeps the text of a plan, if none is there yet."""
    if not path.exists():
        write_shared(path, text)


class Guess(NamedTuple):
    """Bytes of a file on average, bytes still to come, bytes a second; None: unknown."""

    mean: float | None = None
    left: float | None = None
    rate: float | None = None


def _estimate(
    wanted: Sequence[Shard],
    folder: Path,
    partition: Partition,
    urls: Sequence[str],
    connections: int,
    patience: Patience,
    *,
    timed: bool,
) -> Guess:
    """From a look at some of the files, as many as there are connections."""
    if not wanted:
        return Guess(0.0, 0.0)
    step = -(-len(wanted) // connections)
    paths = [f"{partition}/{shard.remote}" for shard in wanted[::step]]
    mean, rate = probe(paths, Mirrors(urls, patience), timed=timed)
    if mean is None:
        return Guess()
    parts = [folder / f"{shard.local}.part" for shard in wanted]
    here = sum(part.stat().st_size for part in parts if part.exists())
    return Guess(mean, max(0.0, mean * len(wanted) - here), rate)


def _free(folder: Path) -> int:
    """Bytes free where the folder is or will be."""
    return shutil.disk_usage(
        next(path for path in (folder, *folder.absolute().parents) if path.exists())
    ).free


def _check_space(guess: Guess, folder: Path) -> None:
    free = _free(folder)
    if guess.left is not None and guess.left > free:
        raise UsageError(
            f"about {progress.amount(guess.left)} are to come, {folder} has {progress.amount(free)} free: "
            "take fewer files with --shard or --limit, or another disk with --data."
        )


def _forecast(files: int, guess: Guess, connections: int, free: int) -> str:
    if guess.left is None:
        return f"{files} to fetch, of unknown size: no mirror answers; {progress.amount(free)} free"
    pace = ""
    if guess.rate:
        needed = progress.duration(guess.left / guess.rate)
        pace = f", about {needed} at {progress.amount(guess.rate)}/s over {connections} connections"
    return f"{files} to fetch, about {progress.amount(guess.left)}{pace}; {progress.amount(free)} free"


class Crew(Watch):
    """Threads that bring files into a folder, and the tally of what they did."""

    def __init__(self, partition: Partition, folder: Path, mirrors: Mirrors, connections: int):
        self._partition, self._folder, self._mirrors = partition, folder, mirrors
        self._connections = connections
        self._lock = threading.Lock()
        self._queue: deque[Shard] = deque()
        self._done: dict[Shard, Outcome] = {}
        self._bar: Any = None
        self._mean: float | None = None

    def bring(self, shards: Sequence[Shard], mean: float | None, *, replace: bool = False) -> None:
        """Fetches these files; mean: about the bytes of one, None if unknown, for the bar.

        Raises KitError, after naming each, if some could not be had.
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
                f"cannot write in {self._folder}: {error.strerror or error}. What has come is kept; the same "
                "command goes on."
            ) from error
        except KitError as error:
            trouble = str(error)
        self._conclude(shards, time.monotonic() - began, trouble)

    def _run(self, replace: bool) -> None:
        with ThreadPoolExecutor(self._connections, "download") as pool:
            try:
                # Within the try: Ctrl-C may come while they are being started.
                work = [pool.submit(self._work, replace) for _ in range(self._connections)]
                for thread in as_completed(work):
                    thread.result()
            finally:
                self._mirrors.stop()

    def _work(self, replace: bool) -> None:
        """What one thread does: a file at a time, until there are no more."""
        with self._mirrors.session() as session:
            while True:
                try:
                    shard = self._queue.popleft()
                except IndexError:
                    return
                place = (shard, self._folder, str(self._partition), session, self._mirrors, self)
                outcome = fetch(*place, replace=replace)
                if outcome.state == "busy":
                    self._queue.append(shard)
                    self._mirrors.wait(_RECHECK)
                else:
                    self._note(shard, outcome)

    def _note(self, shard: Shard, outcome: Outcome) -> None:
        with self._lock:
            self._done[shard] = outcome
            self._bar.set_postfix_str(f"{len(self._done)} files", refresh=False)
        if outcome.reason:
            progress.say(f"missing: {shard.local} ({shard.remote}): {outcome.reason}")

    def sized(self, size: int) -> None:
        """The bar's total was a guess: as the sizes become known, it comes nearer."""
        with self._lock:
            if self._mean and self._bar.total:
                self._bar.total += size - self._mean

    def moved(self, size: int) -> None:
        """Moves the bar."""
        with self._lock:
            self._bar.update(size)

    def _conclude(self, shards: Sequence[Shard], seconds: float, trouble: str) -> None:
        outcomes = list(self._done.values())
        missing = [s for s in shards if s not in self._done or self._done[s].state == "missing"]
        received = sum(outcome.received for outcome in outcomes)
        notes = {
            "resumed": sum(1 for outcome in outcomes if outcome.resumed),
            "fetched again for a wrong MD5": sum(1 for outcome in outcomes if outcome.again),
            "brought by another run": sum(1 for outcome in outcomes if outcome.state == "there"),
        }
        fetched = progress.plural(sum(1 for outcome in outcomes if outcome.state == "fetched"), "file")
        pace = f"{progress.amount(received / max(seconds, 1e-3))}/s"
        progress.say(
            f"{fetched} fetched, {progress.amount(received)} in {progress.duration(seconds)}, {pace}"
            + "".join(f"; {count} {note}" for note, count in notes.items() if count)
        )
        for shard in missing:
            if shard not in self._done:
                progress.say(f"missing: {shard.local} ({shard.remote}): not tried to the end")
        if missing:
            why = f": {trouble}" if trouble else "."
            raise KitError(
                f"{len(missing)} of {len(shards)} files are missing in {self._folder}{why} "
                "They are named above; the same command goes on."
            )
