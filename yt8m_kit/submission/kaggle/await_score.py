"""Waiting for a submission's score."""

import time
from collections.abc import Iterator

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import UsageError
from yt8m_kit.output import progress
from yt8m_kit.submission import ledger
from yt8m_kit.submission.kaggle.client import Client, Scored
from yt8m_kit.submission.kaggle.errors import NotFoundError, RejectedError, WaitError

POLLS = (5.0, 60.0)  # seconds between two requests: at first, at most
WAIT = 1800.0  # seconds in all
SETTLE = 120.0  # seconds during which a new submission may still be answered with 404


def wait(client: Client, ref: int) -> None:
    """Wait until a submission is scored, and enter its scores in results.csv.

    Raises WaitError after WAIT seconds, RejectedError if Kaggle could not score it, and KaggleError by kind
    for a failed call; the row then stays pending, and a second call resumes the wait.
    """
    progress.say(f"submission {ref}: waiting for its score")
    began = time.monotonic()
    for pause in _pauses():
        waited = time.monotonic() - began
        scored = _scored(client, ref, waited)
        if scored.status != "pending":
            break
        if waited + pause > WAIT:
            raise WaitError(
                f"submission {ref} has no score after {waited / 60:.0f} minutes. "
                "It was made; the same command resumes the wait."
            )
        progress.say(f"submission {ref}: pending after {waited:.0f} s")
        time.sleep(pause)
    _enter(ref, scored)
    if scored.status == "error":
        raise RejectedError(f"Kaggle could not score submission {ref}: {scored.error or 'no reason given'}.")
    progress.say(f"submission {ref}: public {scored.public}, private {scored.private}")


def _pauses() -> Iterator[float]:
    pause, most = POLLS
    while True:
        yield pause
        pause = min(1.5 * pause, most)


def _scored(client: Client, ref: int, waited: float) -> Scored:
    try:
        return client.submission(ref)
    except NotFoundError:
        if waited > SETTLE:
            raise
        return Scored("pending", None, None, "")


def _enter(ref: int, scored: Scored) -> None:
    scores = {"public": scored.public, "private": scored.private}
    ledger.upsert({"ref": ref, "status": scored.status} | scores)


def refresh() -> None:
    """Request the score of each pending row of results.csv once."""
    rows = ledger.read()
    clients: dict[str, Client] = {}
    for row in rows[rows.status == "pending"].itertuples():
        competition = recipes.load(row.recipe).dataset.competition
        if competition is None:
            raise UsageError(
                f"recipe {row.recipe} is no longer on a Kaggle competition; see {ledger.path()}."
            )
        client = clients.get(competition) or clients.setdefault(competition, Client.connect(competition))
        scored = client.submission(int(row.ref))
        if scored.status != "pending":
            _enter(int(row.ref), scored)
