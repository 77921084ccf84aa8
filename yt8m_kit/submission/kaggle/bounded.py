"""Kaggle's client made quiet and bounded in time: by itself it prints, and waits for an answer for ever."""

import contextlib
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.submission.kaggle.errors import root_cause

SECONDS = (10, 30)  # to connect, and to wait for an answer
CREATE_SECONDS = (10, 60)
TOTAL = 300.0  # for a call with all its tries, however slowly its answer drips


class Audible(Retry):
    """Retries that say so."""

    def increment(self, *args: Any, **kwargs: Any) -> "Audible":
        """As Retry's: the next state, or the error where no try is left."""
        following = super().increment(*args, **kwargs)
        error, response = kwargs.get("error"), kwargs.get("response")
        reason = root_cause(error) if error else f"HTTP {response.status}" if response else "no answer"
        progress.say(f"kaggle: {reason}; trying again")
        return following


# At most five tries of 30 s with 14 s between them, or what Retry-After asks for, up to 60 s each.
PATIENT = Audible(
    total=4, backoff_factor=1, backoff_jitter=0.5, retry_after_max=60, allowed_methods=None,
    status_forcelist=(408, 429, 500, 502, 503, 504), raise_on_status=False,
)  # fmt: skip
ONCE = Retry(total=0, raise_on_status=False)


class OverdueError(Exception):
    """The time for a call is over; no OSError, which requests would take for a reason to try again."""


@contextlib.contextmanager
def bounded_calls(*, once: bool) -> Iterator[None]:
    """Within the block the client is silent, each of its requests has limits, and the whole has one.

    once: no second try. Raises OverdueError after TOTAL seconds.
    """
    seconds, retries = (CREATE_SECONDS, ONCE) if once else (SECONDS, PATIENT)
    original = HTTPAdapter.send

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        adapter.max_retries = retries
        return original(adapter, request, **options | {"timeout": seconds})

    with contextlib.redirect_stdout(io.StringIO()), _replaced_send(send), _deadline():
        yield


def load() -> Any:
    """The client's KaggleApi. Importing it prints, and asks the network: neither gets through."""

    def refuse(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError

    # With VERBOSE it prints every request with its Authorization header.
    hidden = {name: os.environ.pop(name) for name in ("VERBOSE", "VERBOSE_OUTPUT") if name in os.environ}
    try:
        with contextlib.redirect_stdout(io.StringIO()), _replaced_send(refuse):
            import kaggle
    except ImportError as error:
        raise KitError(f"the kaggle package cannot be imported: {error}. Run: make install") from None
    finally:
        os.environ.update(hidden)
    return kaggle.api


@contextlib.contextmanager
def _replaced_send(send: Callable[..., Any]) -> Iterator[None]:
    """Meanwhile requests sends by `send`: the client's own sessions are out of reach."""
    original = HTTPAdapter.send
    HTTPAdapter.send = send  # type: ignore[method-assign]
    try:
        yield
    finally:
        HTTPAdapter.send = original  # type: ignore[method-assign]


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    """Raise OverdueError after TOTAL seconds; only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise OverdueError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, TOTAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
