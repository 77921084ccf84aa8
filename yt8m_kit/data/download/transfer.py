"""One file from whichever mirror has it: resumed where it stopped, hashed on the way, named when it is right.

What has arrived lies in NAME.part. It is locked by whoever writes it, hashed again before it is continued,
and renamed only when its MD5 is the published one; so it does not matter when or how a run ends.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import NamedTuple

import requests

from yt8m_kit.data.download.mirrors import AttemptError, Mirror, Mirrors, RefusedError, body
from yt8m_kit.data.download.partition import Shard
from yt8m_kit.errors import DataError, KitError

_BLOCK = 1 << 20  # bytes; for reading a file back
_LOOKS = 3  # attempts at a small file, at each mirror: somebody is waiting for it
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Outcome(NamedTuple):
    """What became of a file. state: "fetched", "there" (before, or by another run), "busy" or "missing".

    received: bytes that came over the line. resumed: bytes that lay there from an earlier run. again: how
    often its contents were wrong and were fetched anew. reason: why it is missing.
    """

    state: str
    received: int = 0
    resumed: int = 0
    again: int = 0
    reason: str = ""


class Watch:
    """Told how a transfer goes; this one does not care."""

    def sized(self, size: int) -> None:
        """The size of a file has become known."""

    def moved(self, size: int) -> None:
        """So many more bytes of it are here; fewer, if negative."""


class _Part:
    """The part file, open and locked: its size and the MD5 of what is in it."""

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

    def is_right(self, shard: Shard) -> bool:
        return self._digest.hexdigest() == shard.md5

    def become(self, path: Path) -> None:
        """Takes its final name, on disk before that."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self._file.name, path)


@contextmanager
def _locked(path: Path) -> Iterator[BufferedRandom | None]:
    """The part file, made if need be, for this thread alone; None if another one has it.

    An empty one is removed at the end.
    """
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        if not _is(file, path):  # it was finished, or removed, between the opening and the lock
            yield None
            return
        try:
            yield file
        finally:
            file.flush()
            if _is(file, path) and not os.fstat(file.fileno()).st_size:
                path.unlink()


def _is(file: BufferedRandom, path: Path) -> bool:
    """Whether the open file still goes by that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def fetch(
    shard: Shard,
    folder: Path,
    partition: str,
    session: requests.Session,
    mirrors: Mirrors,
    watch: Watch,
    *,
    replace: bool = False,
) -> Outcome:
    """Brings a file of the partition into `folder`, which exists, under its local name.

    One that is there is left alone; replace: it is replaced, but only by one that is right.
    "busy" says that another thread or process is at it. Raises OSError where the disk fails, KitError and
    StoppedError as Mirrors.choose.
    """
    final = folder / shard.local
    with _locked(final.with_name(final.name + ".part")) as file:
        if file is None:
            return Outcome("busy")
        if final.exists() and not replace:
            file.truncate(0)
            return Outcome("there")
        part = _Part(file)
        resumed = part.size
        watch.moved(resumed)
        attempts = _Attempts(shard, part, mirrors, watch)
        reason = attempts.run(session, f"{partition}/{shard.remote}")
        if not reason:
            part.become(final)
        state = "missing" if reason else "fetched"
        return Outcome(state, attempts.received, resumed, attempts.again, reason)


class _Attempts:
    """The attempts at one file, until it is right or there is no point in another."""

    def __init__(self, shard: Shard, part: _Part, mirrors: Mirrors, watch: Watch):
        self._shard, self._part, self._mirrors, self._watch = shard, part, mirrors, watch
        self._usable = list(mirrors.all)
        self._wrong: dict[str, int] = {}  # by mirror
        self._sources: set[str] = {"an earlier run"} if part.size else set()
        self._furthest, self._vain = part.size, 0
        self._rounds = mirrors.patience.retry()
        self.received = self.again = 0

    def run(self, session: requests.Session, path: str) -> str:
        """Why the file could not be had; empty if it could."""
        reasons: dict[str, str] = {}
        while not (self._part.size and self._part.is_right(self._shard)):
            if self._hopeless():
                return "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
            mirror = self._mirrors.choose(self._usable)
            try:
                self._continue(session, mirror, path)
            except RefusedError as refusal:
                reasons[mirror.url] = str(refusal)
                self._usable.remove(mirror)
            except AttemptError as fault:
                reasons[mirror.url] = str(fault)
                self._usable.remove(mirror)
                self._usable.append(mirror)  # another one is asked for the rest, if there is one
                self._rest()
        return ""

    def _hopeless(self) -> bool:
        wrong = self.again > 2 * len(self._mirrors.all)
        return wrong or not self._usable or len(self._rounds.history) >= self._mirrors.patience.rounds

    def _rest(self) -> None:
        """Waits, ever longer, after each round of the mirrors in which the file has not grown."""
        if self._part.size > self._furthest:
            self._furthest, self._vain, self._rounds = self._part.size, 0, self._mirrors.patience.retry()
            return
        self._vain += 1
        if self._vain % len(self._usable) == 0:
            self._rounds = self._rounds.increment("GET")
            self._mirrors.wait(self._rounds.get_backoff_time())

    def _continue(self, session: requests.Session, mirror: Mirror, path: str) -> None:
        """Asks a server for the rest. Raises RefusedError or AttemptError if what is here then is wrong."""
        part, start = self._part, self._part.size
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._mirrors.get(session, mirror, path, headers) as response:
            total = _total(response, start)
            if start and (response.status_code != 206 or total == -1):
                self._clear()  # it sends all of it, or there is no such rest: begin anew
            if response.status_code == 416 or total == -1:
                raise AttemptError(f"answers {response.status_code} to {headers or 'all of it'}")
            if total:
                self._watch.sized(total)
            self._sources.add(mirror.url)
            for piece in body(response, self._mirrors.patience):
                part.append(piece)
                self.received += len(piece)
                self._watch.moved(len(piece))
                self._mirrors.heard()
                self._mirrors.check()
        if total and part.size < total:
            raise AttemptError("the connection was cut")
        if not part.is_right(self._shard):
            self._blame(mirror)

    def _blame(self, mirror: Mirror) -> None:
        """All of it is here, and it is wrong: away with it. Refuses a mirror that did it twice."""
        wrong = f"MD5 is not {self._shard.md5}"
        alone = self._sources == {mirror.url}
        self._clear()
        self._furthest = 0
        self.again += 1
        if alone:
            self._wrong[mirror.url] = self._wrong.get(mirror.url, 0) + 1
            if self._wrong[mirror.url] > 1:
                raise RefusedError(wrong)
        raise AttemptError(wrong)

    def _clear(self) -> None:
        self._watch.moved(-self._part.size)
        self._part.clear()
        self._sources = set()


def _total(response: requests.Response, start: int) -> int:
    """The size of the whole file by the answer; 0 if it does not say, -1 for a range not asked for."""
    if response.status_code == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not match or int(match[1]) != start:
            return -1
        return int(match[3]) if match[3] != "*" else 0
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def fetch_small(path: str, mirrors: Mirrors, check: Callable[[bytes], object]) -> bytes:
    """A file that fits into memory, from the first mirror whose copy `check` does not raise DataError for.

    Raises KitError if none has it.
    """
    usable, reasons = list(mirrors.all), dict[str, str]()
    for _ in range(_LOOKS * len(usable)):
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
