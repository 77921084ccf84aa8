"""The score of a submission: waited for and recorded."""

import time
from collections.abc import Iterator

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import UsageError
from yt8m_kit.output import progress
from yt8m_kit.submission import ledger
from yt8m_kit.submission.kaggle.client import Client, Scored
from yt8m_kit.submission.kaggle.errors import NotFoundError, RejectedError, WaitError

POLLS = (5.0, 60.0)  # seconds between two looks: at first, at most
WAIT = 1800.0  # seconds in all
SETTLE = 120.0  # seconds in which a new submission may not be found yet


def wait(client: Client, ref: int) -> None:
    """Wait until a submission is scored, and record it.

    Raises WaitError after WAIT seconds, RejectedError where Kaggle could not score it, and what a call
    to Kaggle raises; the record then says pending, and a second call waits on.
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
                "It is in: the same command goes on waiting."
            )
        progress.say(f"submission {ref}: pending after {waited:.0f} s")
        time.sleep(pause)
    _record(ref, scored)
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


def _record(ref: int, scored: Scored) -> None:
    scores = {"public": scored.public, "private": scored.private}
    ledger.upsert({"ref": ref, "status": scored.status} | scores)


def refresh() -> None:
    """Ask Kaggle once for each score that the record lacks."""
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
            _record(int(row.ref), scored)
