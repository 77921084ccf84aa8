"""Exactly-once submission of a file, across interruptions and lost answers.

CreateSubmission takes no idempotency key, so that a second request may make a second submission. No answer
to it proves that nothing was made: a gateway may answer in the service's place, and a service whose request
was cut off may still finish it. The only evidence is Kaggle's list of submissions, in which a random tag in
the description identifies the attempt. A command therefore sends one such request at most, and a later
command sends another only if the tag is still not listed QUIET seconds after the first.
"""

import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_private_json
from yt8m_kit.output.sealed import read_sealed, sealed
from yt8m_kit.run import Run
from yt8m_kit.submission.kaggle.client import Client
from yt8m_kit.submission.kaggle.errors import (
    DoubtError,
    KaggleError,
    NotFoundError,
    RejectedError,
    UnavailableError,
)
from yt8m_kit.submission.kaggle.upload import ExpiredError, upload

LOOKS = (1, 3, 8, 20)  # seconds before each look at the list of submissions

QUIET = 3600.0
"""Seconds after a request for which an unlisted submission may still be made.

Kaggle documents neither how long such a request may take nor how soon its list shows a submission. Its
services run on Google Cloud, where a request may be processed for up to 60 minutes, and processing continues
after the caller got a 504 (https://cloud.google.com/run/docs/configuring/request-timeout).
"""


@dataclass
class SubmissionAttempt:
    """Progress of one file, kept in the run's folder (mode 600) until the submission is in results.csv.

    url: resumable upload; whoever knows it can write there. token: names the uploaded file. sent: whether
    all of it is uploaded. asked: whether CreateSubmission was requested, and may have succeeded. requested:
    when, Unix seconds. tag: identifies the submission in Kaggle's list.
    """

    path: Path
    sha256: str
    competition: str
    tag: str
    token: str = ""
    url: str = ""
    sent: bool = False
    asked: bool = False
    requested: float = 0.0

    @classmethod
    def of(cls, run: Run, sha256: str, competition: str) -> "SubmissionAttempt":
        """The stored attempt of this file, or a new one. Raises KitError if the stored one is damaged."""
        if run.entry.exists():
            attempt = cls._load(run.entry)
            if (attempt.sha256, attempt.competition) == (sha256, competition):
                return attempt
            if attempt.asked:
                progress.say(
                    f"an earlier file may have been submitted as [{attempt.tag}]; see "
                    f"https://www.kaggle.com/c/{attempt.competition}/submissions"
                )
        return cls(run.entry, sha256, competition, tag=f"yt8m-{secrets.token_hex(4)}")

    @classmethod
    def _load(cls, path: Path) -> "SubmissionAttempt":
        try:
            kept = Run.read(path)
            kept = kept if "tag" in kept else read_sealed(path)  # older ones have no digest
            attempt, blank = cls(path, **kept), cls(path, "", "", "")
            good = all(isinstance(value, type(vars(blank)[name])) for name, value in vars(attempt).items())
        except (KitError, TypeError):
            good = False
        if not good:
            raise KitError(
                f"{path} is damaged; see on Kaggle what was submitted, then delete the file."
            ) from None
        if attempt.asked and not attempt.requested:
            attempt.requested = path.stat().st_mtime
        return attempt

    @property
    def begun(self) -> bool:
        """Whether an earlier command left something to resume."""
        return bool(self.url) or self.asked

    def save(self, **changes: Any) -> None:
        """Apply the changes and write the file."""
        for name, value in changes.items():
            setattr(self, name, value)
        kept = {name: value for name, value in asdict(self).items() if name != "path"}
        write_private_json(self.path, sealed(kept))

    def forget(self) -> None:
        """Delete the file: nothing is left to resume."""
        self.path.unlink(missing_ok=True)


def submit_once(client: Client, file: Path, attempt: SubmissionAttempt, message: str) -> int:
    """Submit the file and return the submission's number; checks rules and quota before the upload.

    Raises DoubtError where the submission may exist and is not listed, otherwise KaggleError by kind. The
    attempt is kept, so that a second call resumes; the caller deletes it.
    """
    if attempt.asked and (ref := _resolve(client, attempt)):
        return ref
    client.check_rules()
    progress.say(f"submissions left: {client.check_quota()}")
    if not attempt.sent:
        _send(client, file, attempt)
    return _create(client, attempt, f"[{attempt.tag}] {message}")


def _send(client: Client, file: Path, attempt: SubmissionAttempt) -> None:
    """Upload the file; if the storage refuses the upload's URL, once more to a new one."""
    for last in (False, True):
        resumed = bool(attempt.url)
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
    """Request the submission once; without a number in the answer, look for it in the list."""
    attempt.save(asked=True, requested=time.time())
    error: KaggleError = UnavailableError("Kaggle's response names no submission.")
    ref = 0
    try:
        ref = client.create(attempt.token, description)
    except KaggleError as caught:
        error = caught
    if isinstance(error, NotFoundError | RejectedError):  # the next request needs the file anew
        attempt.save(token="", url="", sent=False)
    if ref := ref or _look(client, attempt):
        return ref
    raise _unlisted(attempt, error)


def _unlisted(attempt: SubmissionAttempt, error: KaggleError) -> KaggleError:
    """The error of a request that failed and left nothing in the list so far.

    A refusal keeps its kind.
    """
    if isinstance(error, UnavailableError):
        return DoubtError(
            f"{error} Kaggle may still make the submission [{attempt.tag}], which is not listed yet. Run the "
            "same command later: it looks for it first."
        )
    return type(error)(
        f"{error} No submission [{attempt.tag}] is listed; the same command looks again first."
    )


def _resolve(client: Client, attempt: SubmissionAttempt) -> int:
    """The number of the submission that an earlier request made; 0 if QUIET has passed without it.

    Raises DoubtError before that.
    """
    now = time.time()
    if attempt.requested > now:  # the clock was set back
        attempt.save(requested=now)
    elapsed = now - attempt.requested
    if ref := _look(client, attempt):
        return ref
    if elapsed < QUIET:
        raise DoubtError(
            f"the submission [{attempt.tag}] is not listed {elapsed / 60:.0f} minutes after its request; "
            f"Kaggle may still make it. Run the same command in {(QUIET - elapsed) / 60:.0f} minutes, or, if "
            f"https://www.kaggle.com/c/{attempt.competition}/submissions shows that it was not made, delete "
            f"{attempt.path}."
        )
    progress.say(f"[{attempt.tag}] is not listed {elapsed / 60:.0f} minutes after its request: not made")
    return 0


def _look(client: Client, attempt: SubmissionAttempt) -> int:
    """The number of the attempt's submission, 0 if it is not listed; several looks, as it may appear late.

    Raises DoubtError if the list cannot be read, for whatever reason.
    """
    for pause in LOOKS:
        progress.say(f"looking for the submission in Kaggle's list in {pause} s")
        time.sleep(pause)
        try:
            if ref := client.find(attempt.tag, attempt.requested):
                return ref
        except KaggleError as error:
            raise DoubtError(
                f"it is not known whether Kaggle made the submission [{attempt.tag}], which the same command "
                f"looks for first. {error}"
            ) from None
    return 0
