"""Resumable upload to Google Cloud Storage, which Kaggle's uploads use.

Kaggle's client resends the whole file after a lost connection, is silent for minutes and drops the reason of
a failure; hence this implementation. Protocol: https://cloud.google.com/storage/docs/resumable-uploads
"""

import random
import time
from pathlib import Path
from typing import Any

import requests
from tqdm.utils import CallbackIOWrapper
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from yt8m_kit.machine.proxy import check_socks
from yt8m_kit.output import progress
from yt8m_kit.submission.kaggle.errors import UploadError, root_cause

SECONDS = (30, 60)  # a stall while sending is bounded by the first, a silent server by the second
ROUNDS = 5  # consecutive rounds without progress before giving up
PAUSE = 1.0  # after the first such round; doubles
RETRY_AFTER = 60  # seconds, the most of a Retry-After header that is waited


class ExpiredError(UploadError):
    """The server refuses the upload's URL: a new one is needed."""


class BusyError(UploadError):
    """The server is overloaded or failing. seconds: its Retry-After, 0 without one."""

    def __init__(self, response: requests.Response):
        super().__init__(f"HTTP {response.status_code} {response.reason}")
        try:
            self.seconds = Retry(retry_after_max=RETRY_AFTER).parse_retry_after(
                response.headers["Retry-After"]
            )
        except (KeyError, InvalidHeader):
            self.seconds = 0.0


def upload(path: Path, url: str, *, resumed: bool) -> None:
    """Send a file, or what the server lacks of it; returns when the server confirms the whole file.

    resumed: whether bytes may have been sent to this URL before. Raises ExpiredError if the server refuses
    the URL, or has all bytes and never confirms them; UploadError after ROUNDS rounds in a row without a
    byte gained: ten minutes at most.
    """
    size = path.stat().st_size
    with requests.Session() as session, progress.bar(size, "upload", unit="B") as bar:
        session.auth = _no_auth  # else requests would look for the storage's host in ~/.netrc
        most = idle = held = 0
        while True:
            reason, pause = "the server has only a part", 0.0
            try:
                held, complete = _status(session, url, size) if resumed else (0, False)
                if held > most:
                    most, idle = held, 0
                if complete or (held < size and _send(session, url, path, held, bar)):
                    return
                if held == size:
                    reason = "the server has all bytes, but calls the upload incomplete (HTTP 308)"
            except BusyError as busy:
                reason, pause = str(busy), busy.seconds
            except requests.RequestException as error:
                check_socks(error)
                reason = root_cause(error)
            resumed, idle = True, idle + 1
            if idle == ROUNDS:
                raise _given_up(most, size, reason)
            progress.say(f"upload: {reason}; resuming")
            time.sleep(max(pause, PAUSE * 2 ** (idle - 1) * random.uniform(0.8, 1.2)))


def _given_up(held: int, size: int, reason: str) -> UploadError:
    text = f"the upload stands at {held:,} of {size:,} bytes: {reason}, {ROUNDS} times in a row."
    if held == size:
        return ExpiredError(f"{text} The same command uploads it again.")
    return UploadError(f"{text} The same command resumes it.")


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _status(session: requests.Session, url: str, size: int) -> tuple[int, bool]:
    """How many bytes the server has stored, and whether the upload is complete.

    Only 200 or 201 means complete: 308 means incomplete, also with all bytes stored.
    """
    answer = _put(session, url, headers={"Content-Range": f"bytes */{size}"})
    if answer.status_code != 308:
        return size, True
    first, _, last = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")
    return (min(int(last) + 1, size) if first == "0" and last.isdigit() else 0), False


def _send(session: requests.Session, url: str, path: Path, held: int, bar: Any) -> bool:
    """Send the file from byte `held` on; whether the upload is complete."""
    size = path.stat().st_size
    headers = {"Content-Range": f"bytes {held}-{size - 1}/{size}"} if held else {}
    with path.open("rb") as file:
        file.seek(held)
        bar.n = held
        body = CallbackIOWrapper(bar.update, file)
        return _put(session, url, headers=headers, data=body).status_code != 308


def _put(session: requests.Session, url: str, **what: Any) -> requests.Response:
    """Response with status 200 or 201 (complete) or 308 (incomplete); raises BusyError or ExpiredError."""
    answer = session.put(url, timeout=SECONDS, allow_redirects=False, **what)
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise BusyError(answer)
    if answer.status_code not in (200, 201, 308):
        raise ExpiredError(f"the storage refuses the upload: HTTP {answer.status_code} {answer.reason}.")
    return answer
