"""Kaggle's client with timeouts and retries, no output."""

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
from yt8m_kit.submission.kaggle.config_folder import prepare_config_folder
from yt8m_kit.submission.kaggle.errors import root_cause

SECONDS = (10, 30)  # to connect, and to wait for an answer
CREATE_SECONDS = (10, 60)
TOTAL = 300.0  # for a call with all its retries, however slowly its response arrives


class LoggedRetry(Retry):
    """urllib3's retries, each reported on stderr."""

    def increment(self, *args: Any, **kwargs: Any) -> "LoggedRetry":
        """As Retry.increment: the next state; raises the error if no retry is left."""
        following = super().increment(*args, **kwargs)
        error, response = kwargs.get("error"), kwargs.get("response")
        reason = root_cause(error) if error else f"HTTP {response.status}" if response else "no response"
        progress.say(f"kaggle: {reason}; retrying")
        return following


# At most five requests of 30 s with 14 s of pauses in all, or Retry-After's, up to 60 s each.
PATIENT = LoggedRetry(
    total=4, backoff_factor=1, backoff_jitter=0.5, retry_after_max=60, allowed_methods=None,
    status_forcelist=(408, 429, 500, 502, 503, 504), raise_on_status=False,
)  # fmt: skip
ONCE = Retry(total=0, raise_on_status=False)


class OverdueError(Exception):
    """A call exceeded TOTAL seconds; not an OSError, after which urllib3 would retry."""


@contextlib.contextmanager
def bounded_calls(*, once: bool) -> Iterator[None]:
    """Context in which the client prints nothing, and its requests have timeouts and retries.

    once: one request at most, neither repeated nor redirected. Raises OverdueError after TOTAL seconds.
    """
    seconds, retries = (CREATE_SECONDS, ONCE) if once else (SECONDS, PATIENT)
    original, sent = HTTPAdapter.send, 0

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        nonlocal sent
        sent += 1
        if once and sent > 1:
            raise requests.TooManyRedirects("a redirect would send the request a second time")
        adapter.max_retries = retries
        return original(adapter, request, **options | {"timeout": seconds})

    with contextlib.redirect_stdout(io.StringIO()), _replaced_send(send), _deadline():
        yield


def load() -> Any:
    """Import kaggle and return its KaggleApi; what the import prints and requests is suppressed."""

    def refuse(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError

    prepare_config_folder()
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
    """Replace HTTPAdapter.send, as the client's own sessions are not accessible."""
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
