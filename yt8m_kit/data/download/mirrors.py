"""Servers with the same files: choice of the next one, timeouts, backoff and cancellation."""

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
from yt8m_kit.machine.proxy import check_socks

_PIECE = 1 << 16  # largest number of bytes read from a body at a time
_TRANSIENT = (408, 429, 500, 502, 503, 504)  # status codes that are worth a retry


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts in seconds, backoff, and when to give up.

    connect: timeout of a connection attempt.
    read: longest time without a byte from a server.
    backoff: factor of the exponential backoff after consecutive failures (urllib3's Retry).
    max_backoff: longest delay between attempts.
    max_silence: longest time without a byte from any server; then the run fails.
    rounds: attempts per file, at every mirror each, without progress in a row; then the file is given up.
    min_rate: bytes a second, over `read` seconds; a slower server is left for another.
    """

    connect: float = 10.0
    read: float = 60.0
    backoff: float = 1.0
    max_backoff: float = 60.0
    max_silence: float = 600.0
    rounds: int = 16  # with the delays between them, as long as `max_silence`
    min_rate: float = 1000.0

    def retry(self) -> Retry:
        """A fresh counter of consecutive failures, which computes the backoff."""
        return Retry(
            total=None,
            backoff_factor=self.backoff,
            backoff_max=self.max_backoff,
            backoff_jitter=self.backoff,
        )


class CancelledError(Exception):
    """The run was cancelled."""


class RefusedError(Exception):
    """A server refuses this file permanently; others may have it."""


class AttemptError(Exception):
    """An attempt failed in a way that is worth a retry."""


class Mirror:
    """One server. resting: the time (monotonic) until which it is not asked."""

    def __init__(self, url: str, policy: RetryPolicy):
        self.url = url
        self.resting = 0.0
        self._failed = 0.0
        self._retry = self._fresh = policy.retry()

    def note_success(self, began: float) -> None:
        """Reset the backoff after a request that began, at `began` (monotonic), since the last failure."""
        if began >= self._failed:
            self._retry = self._fresh

    def note_failure(self, began: float, response: requests.Response | None) -> float:
        """Rest after a failed attempt that began at `began`: for Retry-After, else with exponential backoff.

        Returns the seconds of Retry-After, 0 without it. Concurrent attempts share one cause and count as
        one failure.
        """
        if began >= self._failed:
            self._retry = self._retry.increment("GET", self.url)
        self._failed = time.monotonic()
        asked = self._fresh.get_retry_after(response.raw) if response is not None else None
        rest = self._retry.get_backoff_time() if asked is None else asked
        self.resting = max(self.resting, self._failed + rest)
        return asked or 0.0


class _Adapter(HTTPAdapter):
    """An adapter that reports the socket of each connection, so that another thread can shut it down."""

    def __init__(self, on_connect: Callable[[socket.socket], None]):
        pools = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
        self._pools = {scheme: _reporting(pool, on_connect) for scheme, pool in pools.items()}
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *arguments: Any, **settings: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _reporting(pool: Any, on_connect: Callable[[socket.socket], None]) -> Any:
    """A subclass of a urllib3 pool class whose connections report their sockets."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            on_connect(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


class Mirrors:
    """The servers in order of preference, shared by all threads of a run."""

    def __init__(self, urls: Sequence[str], policy: RetryPolicy):
        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise UsageError(f"a mirror must be http://HOST or https://HOST; got {url!r}.")
        self.all = [Mirror(url.rstrip("/"), policy) for url in urls]
        self.policy = policy
        self._cancelled = threading.Event()
        self._last_activity = time.monotonic()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()

    def choose(self, usable: Sequence[Mirror]) -> Mirror:
        """Return the first of `usable` that is not resting; wait if all are.

        Raises KitError after max_silence seconds without a byte from any server, CancelledError if cancelled.
        """
        while True:
            self.raise_if_cancelled()
            now = time.monotonic()
            mirror = min(usable, key=lambda mirror: max(0.0, mirror.resting - now))
            if mirror.resting <= now:
                return mirror
            if now - self._last_activity > self.policy.max_silence:
                servers = ", ".join(mirror.url for mirror in self.all)
                raise KitError(f"no data for {now - self._last_activity:.0f} s from {servers}.")
            self.wait(min(mirror.resting - now, 1.0))

    def session(self) -> requests.Session:
        """Open a session whose requests are aborted by cancel()."""
        session, adapter = requests.Session(), _Adapter(self._track)
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        return session

    def _track(self, opened: socket.socket) -> None:
        with self._lock:
            self._sockets.add(opened)
        if self._cancelled.is_set():
            _shut(opened)

    def note_activity(self) -> None:
        """Note that data has arrived from some server."""
        self._last_activity = time.monotonic()

    def note_failure(self, mirror: Mirror, began: float, response: requests.Response | None = None) -> None:
        """Note a failed attempt that began at `began` (monotonic), with the response if there is one."""
        asked = mirror.note_failure(began, response)
        # A server that sends Retry-After is alive: its silence is counted from then on.
        self._last_activity = max(self._last_activity, time.monotonic() + asked if asked else 0.0)

    @contextmanager
    def get(
        self, session: requests.Session, mirror: Mirror, path: str, headers: dict[str, str]
    ) -> Iterator[requests.Response]:
        """Request a file and give the response, its body unread; cancel() aborts both.

        session: from session().
        Raises RefusedError or AttemptError for an error status, AttemptError without a response.
        """
        began = time.monotonic()
        policy = self.policy
        try:
            with session.get(
                f"{mirror.url}/{path}",
                headers={"Accept-Encoding": "identity", **headers},
                stream=True,
                timeout=(policy.connect, policy.read),
            ) as response:
                self._check_status(mirror, began, response)
                mirror.note_success(began)
                self.note_activity()
                yield response
        except (requests.RequestException, HTTPError) as error:
            self.raise_if_cancelled()
            check_socks(error)
            self.note_failure(mirror, began)
            raise AttemptError(_reason(error)) from error

    def _check_status(self, mirror: Mirror, began: float, response: requests.Response) -> None:
        if response.status_code in _TRANSIENT:
            self.note_failure(mirror, began, response)
            raise AttemptError(f"{response.status_code} {response.reason}")
        if response.status_code not in (200, 206, 416):
            raise RefusedError(f"{response.status_code} {response.reason}")

    def wait(self, seconds: float) -> None:
        """Sleep; raises CancelledError as soon as the run is cancelled."""
        if self._cancelled.wait(seconds):
            raise CancelledError

    def raise_if_cancelled(self) -> None:
        """Raises CancelledError if the run is cancelled."""
        if self._cancelled.is_set():
            raise CancelledError

    def cancel(self) -> None:
        """Cancel the run: waits, pending responses and transfers end at once."""
        self._cancelled.set()
        with self._lock:
            for each in list(self._sockets):
                _shut(each)


def _shut(opened: socket.socket) -> None:
    """Shut a socket down, which ends a read in another thread."""
    with suppress(OSError, ValueError):  # it may have been closed meanwhile
        opened.shutdown(socket.SHUT_RDWR)


def stream_body(response: requests.Response, policy: RetryPolicy) -> Iterator[bytes]:
    """Yield the body of a response as it arrives. Raises AttemptError if it is slower than min_rate."""
    since, size = time.monotonic(), 0
    while piece := response.raw.read1(_PIECE, decode_content=False):
        yield piece
        size += len(piece)
        seconds = time.monotonic() - since
        if seconds > policy.read:
            if size < policy.min_rate * seconds:
                raise AttemptError(f"too slow: {size} bytes in {seconds:.0f} s")
            since, size = time.monotonic(), 0


def _reason(error: Exception) -> str:
    """Describe a connection error in a few words."""
    if isinstance(error, requests.ConnectTimeout):
        return "connection timed out"
    if isinstance(error, (requests.Timeout, ReadTimeoutError)):
        return "read timed out"
    if isinstance(error, HTTPError):
        return "connection lost"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
