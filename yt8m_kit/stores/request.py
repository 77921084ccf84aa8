"""Requests to an object store: a deadline for each, retries with backoff, and failures in one line."""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from yt8m_kit.errors import DataError

T = TypeVar("T")
_POLL = 0.2  # seconds between checks for cancellation
_TRANSIENT = (408, 425, 429)  # client errors that are worth a retry, like all from 500 on
_REASON = 100  # characters of a reason, at most


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of a request. connect, seconds: of a connection attempt; of a request with its answer.

    attempts: at a request that fails in ways that pass, such as a lost connection. refusals: at one that is
    refused (403, 404). backoff, max_backoff: first and longest delay between attempts, doubled each time.
    """

    connect: float = 10.0
    seconds: float = 60.0
    attempts: int = 8
    refusals: int = 3
    backoff: float = 0.5
    max_backoff: float = 30.0


COPY = RetryPolicy()
LIST = RetryPolicy(attempts=3, refusals=1)  # a user waits for it


class StoreError(DataError):
    """A failure of an object store; the message names the object and the reason."""


class CancelledError(Exception):
    """The caller no longer wants the result."""


class TruncatedError(Exception):
    """An answer that is not as long as it should be."""


class Fault(NamedTuple):
    """Why a request failed. kind: "missing" (404), "refused" or "transient"."""

    kind: str
    reason: str


def fault_of(error: BaseException) -> Fault:
    """Classify an exception of fsspec, aiohttp, botocore or gcsfs."""
    name, text = type(error).__name__, (str(error).strip().splitlines() or [""])[0].rstrip(".")[:_REASON]
    if "Disconnected" in name or "Payload" in name or "Incomplete" in name or isinstance(error, EOFError):
        return Fault("transient", "connection lost")
    status = _status(error) or _status(error.__cause__)
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return Fault("missing", "not found (404)")
    if "Credentials" in name:
        return Fault("refused", "no credentials")
    if isinstance(error, PermissionError) or status in (401, 403) or text.startswith("Forbidden"):
        return Fault("refused", f"access denied ({status or 403})")
    if isinstance(error, TimeoutError):
        return Fault("transient", "too slow or no answer")
    if isinstance(error, TruncatedError):
        return Fault("transient", f"truncated: {text}")
    if status:
        passes = status >= 500 or status in _TRANSIENT
        return Fault("transient" if passes else "refused", f"status {status}")
    if "Connect" in name and "Disconnected" not in name:
        return Fault("transient", "no connection")
    return Fault("transient", f"{name}: {text}" if text else name)


def _status(error: BaseException | None) -> int:
    """The HTTP status of an exception of aiohttp, gcsfs or botocore; 0 if it has none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # of botocore
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    else:  # of aiohttp, of gcsfs
        found = getattr(error, "status", None) or getattr(error, "code", 0)
    return int(found) if str(found).isdigit() else 0


def call(
    operation: Coroutine[Any, Any, T],
    loop: asyncio.AbstractEventLoop,
    seconds: float,
    cancelled: threading.Event | None = None,
) -> T:
    """Run a coroutine on another thread's event loop, for at most `seconds`.

    Raises its exceptions, TimeoutError, and CancelledError soon after `cancelled` is set.
    """
    future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(operation, seconds), loop)
    try:
        while not wait([future], _POLL).done:
            if cancelled and cancelled.is_set():
                raise CancelledError
        return future.result()
    finally:
        future.cancel()


def retrying(
    what: str,
    operation: Callable[[], T],
    policy: RetryPolicy,
    cancelled: threading.Event | None = None,
) -> T:
    """Call `operation` until it succeeds. Raises FileNotFoundError, or StoreError with `what` and why.

    A FileNotFoundError is raised for a missing object, so that the caller can say what was expected.
    """
    failures = 0
    while True:
        try:
            return operation()
        except (CancelledError, StoreError):
            raise
        except Exception as error:  # three libraries raise dozens of types
            fault = fault_of(error)
            failures += 1
            if failures >= (policy.attempts if fault.kind == "transient" else policy.refusals):
                if fault.kind == "missing":
                    raise FileNotFoundError(2, "not found", what) from error
                tries = f" ({failures} attempts)" if failures > 1 else ""
                raise StoreError(f"{what}: {fault.reason}{tries}") from error
        pause(min(policy.max_backoff, policy.backoff * 2 ** (failures - 1)), cancelled)


def pause(seconds: float, cancelled: threading.Event | None) -> None:
    """Sleep for half to all of `seconds`; raises CancelledError as soon as `cancelled` is set."""
    if (cancelled or threading.Event()).wait(seconds * random.uniform(0.5, 1)):
        raise CancelledError
