"""A file sent by the resumable protocol of Google Cloud Storage, which Kaggle's uploads use.

The client's own upload resends everything after a cut, is silent for minutes and loses the reason where it
fails; so the bytes are sent from here. Protocol: https://cloud.google.com/storage/docs/resumable-uploads
"""

import random
import time
from pathlib import Path
from typing import Any

import requests
from tqdm.utils import CallbackIOWrapper
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from yt8m_kit.output import progress
from yt8m_kit.submission.kaggle.errors import UploadError, root_cause

SECONDS = (30, 60)  # a stall while sending is bounded by the first, a silent server by the second
ROUNDS = 5  # rounds in a row without a byte gained before it is given up
PAUSE = 1.0  # after the first such round; doubles
RETRY_AFTER = 60  # seconds for which a server's wish to be left alone is heeded, at most


class ExpiredError(UploadError):
    """The server refuses the place to upload to: a new one is needed."""


class BusyError(UploadError):
    """The server asks for patience. seconds: how long, where it says so."""

    def __init__(self, response: requests.Response):
        super().__init__(f"HTTP {response.status_code} {response.reason}")
        try:
            self.seconds = Retry(retry_after_max=RETRY_AFTER).parse_retry_after(
                response.headers["Retry-After"]
            )
        except (KeyError, InvalidHeader):
            self.seconds = 0.0


def upload(path: Path, url: str, *, resumed: bool) -> None:
    """Send a file, or what the server lacks of it; returns when the server has all.

    resumed: whether something may have been sent to this place before. Raises ExpiredError if the server
    refuses the place, and UploadError when ROUNDS rounds in a row gained nothing: ten minutes at most.
    """
    size = path.stat().st_size
    with requests.Session() as session, progress.bar(size, "upload", unit="B") as bar:
        session.auth = _nobody  # else requests would look for the storage's host in ~/.netrc
        most = idle = 0
        while True:
            reason, pause = "the server has only a part", 0.0
            try:
                held = _held(session, url, size) if resumed else 0
                if held > most:
                    most, idle = held, 0
                if held == size or _send(session, url, path, held, bar):
                    return
            except BusyError as busy:
                reason, pause = str(busy), busy.seconds
            except requests.RequestException as error:
                reason = root_cause(error)
            resumed, idle = True, idle + 1
            if idle == ROUNDS:
                raise UploadError(
                    f"the upload stands at {most:,} of {size:,} bytes: {reason}, {ROUNDS} times in a row. "
                    "The same command goes on from there."
                )
            progress.say(f"upload: {reason}; going on from where it is")
            time.sleep(max(pause, PAUSE * 2 ** (idle - 1) * random.uniform(0.8, 1.2)))


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _held(session: requests.Session, url: str, size: int) -> int:
    """How many bytes the server has."""
    answer = _put(session, url, headers={"Content-Range": f"bytes */{size}"})
    if answer.status_code != 308:
        return size
    first, _, last = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")
    return min(int(last) + 1, size) if first == "0" and last.isdigit() else 0


def _send(session: requests.Session, url: str, path: Path, held: int, bar: Any) -> bool:
    """Send the file from byte `held` on; whether the server has all of it then."""
    size = path.stat().st_size
    headers = {"Content-Range": f"bytes {held}-{size - 1}/{size}"} if held else {}
    with path.open("rb") as file:
        file.seek(held)
        bar.n = held
        body = CallbackIOWrapper(bar.update, file)
        return _put(session, url, headers=headers, data=body).status_code != 308


def _put(session: requests.Session, url: str, **what: Any) -> requests.Response:
    """An answer of 200 and 201 (all is there) or 308 (a part is)."""
    answer = session.put(url, timeout=SECONDS, allow_redirects=False, **what)
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise BusyError(answer)
    if answer.status_code not in (200, 201, 308):
        raise ExpiredError(f"the storage refuses the upload: HTTP {answer.status_code} {answer.reason}.")
    return answer
