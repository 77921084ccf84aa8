"""The fsspec file system of a URL: gcsfs for gs, s3fs for s3, aiohttp for https and http.

Requests are made through the asynchronous methods of fsspec, on its own thread: they can be cancelled.
"""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from yt8m_kit.errors import UsageError
from yt8m_kit.stores import request
from yt8m_kit.stores.request import RetryPolicy, StoreError, call, retrying


class Scheme(NamedTuple):
    """module: the package that reads URLs of a scheme. extra: of the kit, which installs it."""

    module: str
    extra: str


SCHEMES = {
    "gs": Scheme("gcsfs", "gcs"),
    "s3": Scheme("s3fs", "s3"),
    "https": Scheme("aiohttp", "http"),
    "http": Scheme("aiohttp", "http"),
}
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or for a public bucket "
    "FSSPEC_S3_ANON=true",
    "gs": "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS",
}
_OWN_RETRIES = 6  # of gcsfs, with up to 31 s between them; they cannot be turned off
_LOGGERS = ("gcsfs", "s3fs", "fsspec", "aiobotocore", "botocore", "google", "asyncio")


def scheme_of(url: str) -> str:
    """The scheme of a URL. Raises UsageError for one that cannot be read, or whose package is missing."""
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        allowed = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(f"records are read from a folder or from {allowed}; got {url!r}.")
    package = SCHEMES[scheme]
    if find_spec(package.module) is None:
        command = f"pip install -e '.[{package.extra}]'"
        raise UsageError(f"{scheme}:// needs {package.module}; run: {command} in the folder of the kit.")
    return scheme


def is_writable(url: str) -> bool:
    """Whether objects can be written: in buckets, not on web servers."""
    return url.startswith(("gs://", "s3://"))


def perform(
    url: str,
    operation: Callable[[Any], Any],
    policy: RetryPolicy,
    cancelled: threading.Event | None = None,
    seconds: float | None = None,
) -> Any:
    """Run operation(file system), a coroutine, with retries; see request.retrying for what is raised.

    seconds: of one attempt, by default those of the policy. Raises UsageError where there are no credentials.
    """
    scheme = scheme_of(url)
    if scheme == "gs":
        policy = replace(policy, attempts=-(-policy.attempts // _OWN_RETRIES))
        seconds = _OWN_RETRIES * (seconds or policy.seconds)

    def attempt() -> Any:
        filesystem = _filesystem(scheme)
        return call(operation(filesystem), filesystem.loop, seconds or policy.seconds, cancelled)

    try:
        return retrying(url, attempt, policy, cancelled)
    except StoreError as error:
        if "no credentials" in str(error) and scheme in _CREDENTIALS:
            raise UsageError(f"{url}: no credentials; {_CREDENTIALS[scheme]}.") from error
        raise


def describe(filesystem: Any, url: str) -> Any:
    """A coroutine for the description of an object of a bucket, without its folder."""
    if url.startswith("gs://"):
        return filesystem._get_object(url)
    return filesystem._info(url, refresh=True)


@cache
def _filesystem(scheme: str) -> Any:
    """The file system, one per process; listings are not cached in it."""
    for name in _LOGGERS:  # they print tracebacks of errors that are raised as well
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return {"gs": _gs, "s3": _s3}.get(scheme, _http)(request.COPY)


def _gs(policy: RetryPolicy) -> Any:
    # Without the gRPC client of zonal buckets, which is not needed to read whole objects.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    import aiohttp
    import gcsfs

    # A connection that stalls is one of the faults that gcsfs retries itself.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=policy.connect, sock_read=policy.seconds)
    return gcsfs.GCSFileSystem(skip_instance_cache=True, use_listings_cache=False, requests_timeout=timeout)


def _s3(policy: RetryPolicy) -> Any:
    import s3fs

    limits = {"connect_timeout": policy.connect, "read_timeout": policy.seconds}
    config = limits | {"retries": {"max_attempts": 1}, "max_pool_connections": 64}
    filesystem = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False, config_kwargs=config)
    filesystem.retries = 1  # retries are those of request.py
    return filesystem


def _http(policy: RetryPolicy) -> Any:
    import aiohttp
    from fsspec.implementations.http import HTTPFileSystem

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=policy.connect, sock_read=policy.seconds)
    return HTTPFileSystem(
        skip_instance_cache=True,
        use_listings_cache=False,
        client_kwargs={"timeout": timeout, "trust_env": True},
        headers={"Accept-Encoding": "identity"},  # so that ranges are those of the file
    )
