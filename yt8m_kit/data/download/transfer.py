"""Download one file from any of the mirrors: resumable, hashed while it arrives, renamed when it is verified.

Received bytes are kept in NAME.part. The writer locks this file, hashes it again before it resumes, and
renames it only when its MD5 matches the published one; so a run can end at any time in any way.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import NamedTuple, Protocol

import requests

from yt8m_kit.data.download.mirrors import AttemptError, Mirror, Mirrors, RefusedError, stream_body
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.output.locks import lock

_BLOCK = 1 << 20  # bytes read at a time when a part is hashed again
_TRIES = 3  # attempts at a small file per mirror; few, because a user is waiting for it
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Wanted(Protocol):
    """A file by its name on the server, its MD5 in hex and its name on disk."""

    @property
    def remote(self) -> str: ...
    @property
    def md5(self) -> str: ...
    @property
    def local(self) -> str: ...


class Outcome(NamedTuple):
    """Outcome for a file. state: "fetched", "present" (already, or by another run), "busy" or "missing".

    received: bytes transferred. resumed: bytes kept from an earlier run. retries: how often the contents were
    wrong and discarded. reason: why it is missing.
    """

    state: str
    received: int = 0
    resumed: int = 0
    retries: int = 0
    reason: str = ""


class TransferProgress:
    """Callbacks of a transfer; the default does nothing."""

    def set_total(self, size: int) -> None:
        """The total size of a file in bytes is known."""

    def advance(self, size: int) -> None:
        """`size` more bytes of it have arrived; negative if bytes were discarded."""


class _Part:
    """The part file, open and locked: its size and the MD5 of its contents."""

    def __init__(self, file: BufferedRandom):
        self._file = file
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size = 0
        file.seek(0)
        while block := file.read(_BLOCK):
            self._digest.update(block)
            self.size += len(block)

    def append(self, piece: bytes) -> None:
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def is_verified(self, shard: Wanted) -> bool:
        return self._digest.hexdigest() == shard.md5

    def rename(self, path: Path) -> None:
        """Sync to disk, then take the final name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self._file.name, path)


@contextmanager
def _locked(path: Path) -> Iterator[BufferedRandom | None]:
    """Open or create the part file with an exclusive lock; None if another thread or process holds it.

    An empty part file is removed at the end.
    """
    with path.open("a+b") as file:
        try:
            lock(file.fileno(), path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        if not _is_named(file, path):  # it was renamed or removed between open and lock
            yield None
            return
        try:
            yield file
        finally:
            file.flush()
            if _is_named(file, path) and not os.fstat(file.fileno()).st_size:
                path.unlink()


def _is_named(file: BufferedRandom, path: Path) -> bool:
    """Whether the open file still has this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def fetch(
    shard: Wanted,
    folder: Path,
    partition: str,
    session: requests.Session,
    mirrors: Mirrors,
    progress: TransferProgress,
    *,
    replace: bool = False,
) -> Outcome:
    """Download a file of the partition into `folder`, which must exist, under its local name.

    A present file is kept; replace: it is replaced, but only by a verified one. "busy": another thread or
    process is downloading it. Raises OSError for a disk error, KitError and CancelledError as Mirrors.choose.
    """
    final = folder / shard.local
    with _locked(final.with_name(final.name + ".part")) as file:
        if file is None:
            return Outcome("busy")
        if final.exists() and not replace:
            file.truncate(0)
            return Outcome("present")
        part = _Part(file)
        resumed = part.size
        progress.advance(resumed)
        attempts = _Attempts(shard, part, mirrors, progress)
        reason = attempts.run(session, f"{partition}/{shard.remote}")
        if not reason:
            part.rename(final)
        state = "missing" if reason else "fetched"
        return Outcome(state, attempts.received, resumed, attempts.retries, reason)


class _Attempts:
    """Attempts at one file, until it is verified or there is no point in another."""

    def __init__(self, shard: Wanted, part: _Part, mirrors: Mirrors, progress: TransferProgress):
        self._shard, self._part, self._mirrors, self._progress = shard, part, mirrors, progress
        self._usable = list(mirrors.all)
        self._wrong: dict[str, int] = {}  # wrong files by mirror
        self._sources: set[str] = {"an earlier run"} if part.size else set()
        self._furthest, self._futile = part.size, 0
        self._rounds = mirrors.policy.retry()
        self.received = self.retries = 0

    def run(self, session: requests.Session, path: str) -> str:
        """Try until the file is complete; return why it is missing, empty if it is not."""
        reasons: dict[str, str] = {}
        while not (self._part.size and self._part.is_verified(self._shard)):
            if self._is_hopeless():
                return "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
            mirror = self._mirrors.choose(self._usable)
            try:
                self._resume(session, mirror, path)
            except RefusedError as refusal:
                reasons[mirror.url] = str(refusal)
                self._usable.remove(mirror)
            except AttemptError as fault:
                reasons[mirror.url] = str(fault)
                self._usable.remove(mirror)
                self._usable.append(mirror)  # the next mirror, if any, is asked for the rest
                self._back_off()
        return ""

    def _is_hopeless(self) -> bool:
        wrong = self.retries > 2 * len(self._mirrors.all)
        return wrong or not self._usable or len(self._rounds.history) >= self._mirrors.policy.rounds

    def _back_off(self) -> None:
        """Wait, with exponential backoff, after each round of the mirrors without progress."""
        if self._part.size > self._furthest:
            self._furthest, self._futile, self._rounds = self._part.size, 0, self._mirrors.policy.retry()
            return
        self._futile += 1
        if self._futile % len(self._usable) == 0:
            self._rounds = self._rounds.increment("GET")
            self._mirrors.wait(self._rounds.get_backoff_time())

    def _resume(self, session: requests.Session, mirror: Mirror, path: str) -> None:
        """Request the rest of the file. Raises RefusedError or AttemptError unless it is verified then."""
        part, start = self._part, self._part.size
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._mirrors.get(session, mirror, path, headers) as response:
            total = _total(response, start)
            if start and (response.status_code != 206 or total == -1):
                self._clear()  # it sends the whole file, or there is no such range: start over
            if response.status_code == 416 or total == -1:
                raise AttemptError(f"status {response.status_code} for {headers or 'the whole file'}")
            if total:
                self._progress.set_total(total)
            self._sources.add(mirror.url)
            for piece in stream_body(response, self._mirrors.policy):
                part.append(piece)
                self.received += len(piece)
                self._progress.advance(len(piece))
                self._mirrors.note_activity()
                self._mirrors.raise_if_cancelled()
        if total and part.size < total:
            raise AttemptError("connection lost")
        if not part.is_verified(self._shard):
            self._discard(mirror)

    def _discard(self, mirror: Mirror) -> None:
        """Discard a complete file with a wrong MD5; refuse a mirror that alone sent two of them."""
        wrong = f"MD5 is not {self._shard.md5}"
        alone = self._sources == {mirror.url}
        self._clear()
        self._furthest = 0
        self.retries += 1
        if alone:
            self._wrong[mirror.url] = self._wrong.get(mirror.url, 0) + 1
            if self._wrong[mirror.url] > 1:
                raise RefusedError(wrong)
        raise AttemptError(wrong)

    def _clear(self) -> None:
        self._progress.advance(-self._part.size)
        self._part.clear()
        self._sources = set()


def _total(response: requests.Response, start: int) -> int:
    """Total size of the file by the response headers; 0 if unknown, -1 for a range not asked for."""
    if response.status_code == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not match or int(match[1]) != start:
            return -1
        return int(match[3]) if match[3] != "*" else 0
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def fetch_small(path: str, mirrors: Mirrors, check: Callable[[bytes], object]) -> bytes:
    """Download a file that fits into memory from the first mirror whose copy passes `check`.

    check: raises DataError for a bad copy. Raises KitError if no mirror has a good one.
    """
    usable, reasons = list(mirrors.all), dict[str, str]()
    for _ in range(_TRIES * len(usable)):
        if not usable:
            break
        mirror = mirrors.choose(usable)
        try:
            with mirrors.session() as session, mirrors.get(session, mirror, path, {}) as response:
                content = response.content
            check(content)
            return content
        except (RefusedError, DataError) as refusal:
            reasons[mirror.url] = str(refusal)
            usable.remove(mirror)
        except AttemptError as fault:
            reasons[mirror.url] = str(fault)
    why = "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
    raise KitError(f"cannot get {path}: {why}.")
