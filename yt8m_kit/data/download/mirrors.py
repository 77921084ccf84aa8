"""Servers that hold the same files: which one to ask next, how long to leave one alone that is in trouble."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Retry

from yt8m_kit.errors import KitError, UsageError

_PIECE = 1 << 16  # bytes of a body at a time, at most
_BUSY = (408, 429, 500, 502, 503, 504)  # answers that may be others a moment later


@dataclass(frozen=True)
class Patience:
    """Seconds: to connect; without a byte; of the first rest and the longest; without anything from anyone.

    rounds: attempts at a file, each at every mirror, in a row that bring it no further; then it is given up.
    least: bytes a second over `read` seconds; a server that sends fewer is left for another.
    """

    connect: float = 10.0
    read: float = 60.0
    backoff: float = 1.0
    longest: float = 60.0
    silence: float = 600.0
    rounds: int = 16  # with the rests between them, as long as `silence`
    least: float = 1000.0

    def retry(self) -> Retry:
        """A count of failures in a row, none yet, that knows how long to rest after them."""
        return Retry(
            total=None, backoff_factor=self.backoff, backoff_max=self.longest, backoff_jitter=self.backoff
        )


class StoppedError(Exception):
    """The run was told to end."""


class RefusedError(Exception):
    """A server will not give this file, now or later; others may."""


class AttemptError(Exception):
    """An attempt that failed in a way that another one may not."""


class Mirror:
    """One server. resting: the time (monotonic) until which it is left alone."""

    def __init__(self, url: str, patience: Patience):
        self.url = url
        self.resting = 0.0
        self._failed = 0.0
        self._retry = self._fresh = patience.retry()

    def good(self, began: float) -> None:
        """A request that began then (monotonic) went well: what went wrong before it is forgotten."""
        if began >= self._failed:
            self._retry = self._fresh

    def bad(self, began: float, response: requests.Response | None) -> float:
        """An attempt that began then has failed: rest as the answer asks, else ever longer.

        Returns the seconds that the answer asks for. Attempts under way together fail for one reason: they
        count once.
        """
        if began >= self._failed:
            self._retry = self._retry.increment("GET", self.url)
        self._failed = time.monotonic()
        asked = self._fresh.get_retry_after(response.raw) if response is not None else None
        rest = self._retry.get_backoff_time() if asked is None else asked
        self.resting = max(self.resting, self._failed + rest)
        return asked or 0.0


class _Adapter(HTTPAdapter):
    """Connections whose sockets are told of, so that the wait for an answer can be ended from outside."""

    def __init__(self, told: Callable[[socket.socket], None]):
        pools = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
        self._pools = {scheme: _telling(pool, told) for scheme, pool in pools.items()}
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *arguments: Any, **settings: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _telling(kind: Any, told: Callable[[socket.socket], None]) -> Any:
    """The same kind of pool, whose connections tell of their sockets."""

    class Connection(kind.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            told(self.sock)

    return type(kind.__name__, (kind,), {"ConnectionCls": Connection})


class Mirrors:
    """The servers in the order of preference, shared by all threads of a run."""

    def __init__(self, urls: Sequence[str], patience: Patience):
        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise UsageError(f"a mirror is given as http://HOST or https://HOST; got {url!r}.")
        self.all = [Mirror(url.rstrip("/"), patience) for url in urls]
        self.patience = patience
        self._stop = threading.Event()
        self._heard = time.monotonic()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()

    def choose(self, usable: Sequence[Mirror]) -> Mirror:
        """The first of `usable` that is not resting, after a wait if all are.

        Raises KitError if no server has sent anything for too long, StoppedError if the run ends.
        """
        while True:
            self.check()
            now = time.monotonic()
            mirror = min(usable, key=lambda mirror: max(0.0, mirror.resting - now))
            if mirror.resting <= now:
                return mirror
            if now - self._heard > self.patience.silence:
                servers = ", ".join(mirror.url for mirror in self.all)
                raise KitError(f"nothing came for {now - self._heard:.0f} s from {servers}.")
            self.wait(min(mirror.resting - now, 1.0))

    def session(self) -> requests.Session:
        """A session whose waits for a server are ended by stop()."""
        session, adapter = requests.Session(), _Adapter(self._opened)
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        return session

    def _opened(self, opened: socket.socket) -> None:
        with self._lock:
            self._sockets.add(opened)
        if self._stop.is_set():
            _shut(opened)

    def heard(self) -> None:
        """Something came from one of them."""
        self._heard = time.monotonic()

    def bad(self, mirror: Mirror, began: float, response: requests.Response | None = None) -> None:
        """An attempt that began then (monotonic) has failed, by an answer or without one."""
        asked = mirror.bad(began, response)
        # Who says when to come back is there: the silence begins after that.
        self._heard = max(self._heard, time.monotonic() + asked if asked else 0.0)

    @contextmanager
    def get(
        self, session: requests.Session, mirror: Mirror, path: str, headers: dict[str, str]
    ) -> Iterator[requests.Response]:
        """The answer of a server, its body still to be read. stop() ends the wait for it, and the reading.

        session: as session() gives it.

        Raises RefusedError or AttemptError for an answer that is no success, AttemptError for none.
        """
        began = time.monotonic()
        patience = self.patience
        try:
            with session.get(
                f"{mirror.url}/{path}",
                headers={"Accept-Encoding": "identity", **headers},
                stream=True,
                timeout=(patience.connect, patience.read),
            ) as response:
                self._judge(mirror, began, response)
                mirror.good(began)
                self.heard()
                yield response
        except (requests.RequestException, HTTPError) as error:
            self.check()
            self.bad(mirror, began)
            raise AttemptError(_reason(error)) from error

    def _judge(self, mirror: Mirror, began: float, response: requests.Response) -> None:
        if response.status_code in _BUSY:
            self.bad(mirror, began, response)
            raise AttemptError(f"{response.status_code} {response.reason}")
        if response.status_code not in (200, 206, 416):
            raise RefusedError(f"{response.status_code} {response.reason}")

    def wait(self, seconds: float) -> None:
        """Sleeps, unless the run ends: then it raises StoppedError."""
        if self._stop.wait(seconds):
            raise StoppedError

    def check(self) -> None:
        """Raises StoppedError if the run ends."""
        if self._stop.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Ends the run: waits end at once, answers that are awaited and bodies under way, too."""
        self._stop.set()
        with self._lock:
            for each in list(self._sockets):
                _shut(each)


def _shut(opened: socket.socket) -> None:
    """Ends what another thread reads from it."""
    with suppress(OSError, ValueError):  # it has just ended by itself
        opened.shutdown(socket.SHUT_RDWR)


def body(response: requests.Response, patience: Patience) -> Iterator[bytes]:
    """What an answer holds, as it comes. Raises AttemptError if next to nothing does."""
    since, size = time.monotonic(), 0
    while piece := response.raw.read1(_PIECE, decode_content=False):
        yield piece
        size += len(piece)
        seconds = time.monotonic() - since
        if seconds > patience.read:
            if size < patience.least * seconds:
                raise AttemptError(f"it sent {size} bytes in {seconds:.0f} s")
            since, size = time.monotonic(), 0


def _reason(error: Exception) -> str:
    """What went wrong with a connection, in a few words."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, (requests.Timeout, ReadTimeoutError)):
        return "it sent nothing for too long"
    if isinstance(error, HTTPError):
        return "the connection was cut"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
