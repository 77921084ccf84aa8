"""A file made into exactly one submission, however often the way there is interrupted."""

import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_private_json
from yt8m_kit.run import Run
from yt8m_kit.submission.kaggle.client import Client
from yt8m_kit.submission.kaggle.errors import (
    DoubtError,
    KaggleError,
    NotFoundError,
    RejectedError,
    SilentError,
    UnavailableError,
)
from yt8m_kit.submission.kaggle.upload import ExpiredError, upload

LOOKS = (1, 3, 8, 20)  # seconds before each look for a submission whose making was not answered
CREATES = 3  # times a submission is asked for, while none is found


@dataclass
class SubmissionAttempt:
    """How far a file is: kept in the run's folder, for its owner's eyes, until the submission is recorded.

    url: where to send it, good for anybody who knows it. sent: whether all of it is there. asked: whether
    Kaggle was asked to make a submission of it, and may have done so; tag: by which that is found again.
    """

    path: Path
    sha256: str
    competition: str
    tag: str
    token: str = ""
    url: str = ""
    sent: bool = False
    asked: bool = False

    @classmethod
    def of(cls, run: Run, sha256: str, competition: str) -> "SubmissionAttempt":
        """The attempt of this file as it was left, or a new one. KitError for a damaged record of it."""
        if run.entry.exists():
            try:
                attempt = cls(run.entry, **run.read(run.entry))
            except TypeError:
                raise KitError(
                    f"{run.entry} is damaged; delete it, and see on Kaggle what was handed in."
                ) from None
            if (attempt.sha256, attempt.competition) == (sha256, competition):
                return attempt
            if attempt.asked:
                progress.say(f"an earlier file may have been handed in as [{attempt.tag}]; see it on Kaggle")
        return cls(run.entry, sha256, competition, tag=f"yt8m-{secrets.token_hex(4)}")

    @property
    def begun(self) -> bool:
        """Whether an earlier command left something to go on with."""
        return bool(self.url)

    def save(self, **changes: Any) -> None:
        """Remember the changes."""
        for name, value in changes.items():
            setattr(self, name, value)
        write_private_json(self.path, {name: value for name, value in asdict(self).items() if name != "path"})

    def forget(self) -> None:
        """There is nothing to go on with."""
        self.path.unlink(missing_ok=True)


def submit_once(client: Client, file: Path, attempt: SubmissionAttempt, message: str) -> int:
    """Make a submission of the file and return its number; rules and quota are checked before it is sent.

    Raises DoubtError where Kaggle may have made it and cannot be asked, otherwise KaggleError by kind.
    The attempt is kept, so that a second call goes on; the caller forgets it.
    """
    if attempt.asked and (ref := _look(client, attempt.tag)):
        return ref
    client.check_rules()
    progress.say(f"submissions left: {client.check_quota()}")
    if not attempt.sent:
        _send(client, file, attempt)
    return _create(client, attempt, f"[{attempt.tag}] {message}")


def _send(client: Client, file: Path, attempt: SubmissionAttempt) -> None:
    """Bring the file to Kaggle's storage, to a new place where the first is refused."""
    for last in (False, True):
        resumed = attempt.begun
        if not resumed:
            token, url = client.start_upload(file)
            attempt.save(token=token, url=url)
        try:
            upload(file, attempt.url, resumed=resumed)
            return attempt.save(sent=True)
        except ExpiredError:
            attempt.save(token="", url="")
            if last:
                raise


def _create(client: Client, attempt: SubmissionAttempt, description: str) -> int:
    """Ask for the submission until there is one, and never while there may be one already."""
    doubt: KaggleError = UnavailableError("Kaggle took the file and made no submission of it.")
    for tries in range(CREATES):
        attempt.save(asked=True)
        try:
            ref = client.create(attempt.token, description)
        except KaggleError as error:
            if tries == 0 and not isinstance(error, UnavailableError):
                _refused(attempt, error)
            doubt, ref = error, 0
        if ref := ref or _look(client, attempt.tag):
            return ref
        if isinstance(doubt, SilentError):
            raise DoubtError(
                f"Kaggle does not say whether it has made the submission [{attempt.tag}], and does not list "
                "it yet. Run the same command later: it looks again first."
            )
    raise doubt


def _refused(attempt: SubmissionAttempt, error: KaggleError) -> None:
    """There is no submission for certain; where it is the file that Kaggle refuses, it is to be sent anew."""
    attempt.save(asked=False)
    if isinstance(error, NotFoundError | RejectedError):
        attempt.forget()
    raise error


def _look(client: Client, tag: str) -> int:
    """The number of the submission with the tag, which may take a while to show; 0 if there is none."""
    for pause in LOOKS:
        progress.say(f"looking in {pause} s whether Kaggle has made the submission")
        time.sleep(pause)
        try:
            if ref := client.find(tag):
                return ref
        except UnavailableError as error:
            raise DoubtError(
                f"whether Kaggle has made the submission [{tag}] is not known. {error}"
            ) from None
    return 0
