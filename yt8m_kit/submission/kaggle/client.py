"""API calls of a submission through Kaggle's client, with errors of one line."""

import re
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import requests

from yt8m_kit.machine.proxy import check_socks
from yt8m_kit.output import progress
from yt8m_kit.submission.kaggle.bounded import TOTAL, OverdueError, bounded_calls, load
from yt8m_kit.submission.kaggle.credentials import Credentials, find
from yt8m_kit.submission.kaggle.errors import (
    KaggleError,
    LimitError,
    NotFoundError,
    RejectedError,
    RulesError,
    SilentError,
    UnavailableError,
    root_cause,
    timed_out,
)

TEAMS = 10_000  # of the leaderboard, at most
PAGES = 50  # of the list of submissions, at most
DAY = 86_400.0  # seconds
AGAIN = "Nothing is lost: the same command resumes."

# Words in Kaggle's message that mean an exhausted quota.
USED_UP = re.compile(r"allowance|quota|daily|per day|today|submission limit", re.IGNORECASE)

Answer = TypeVar("Answer")


class Scored(NamedTuple):
    """State of a submission. status: pending, complete or error. Scores: GAP@20, None if not known."""

    status: str
    public: float | None
    private: float | None
    error: str


class Client:
    """API calls for submissions to one competition.

    Each raises AuthError, RulesError, NotFoundError, LimitError or RejectedError for a refusal, and
    UnavailableError for no response or one that cannot be parsed, after bounded.TOTAL seconds at most.
    """

    def __init__(self, api: Any, credentials: Credentials, competition: str):
        self.competition = competition
        self._api, self._credentials = api, credentials
        self.secrets = {secret for source in (credentials.used, *credentials.overridden)
                        for secret in source.secrets}  # fmt: skip

    @classmethod
    def connect(cls, competition: str) -> "Client":
        """Load the client and authenticate; reports the source of the credentials, AuthError if none."""
        api = load()
        credentials = find(Path(api.config))
        progress.say(f"credentials: {credentials}")
        if credentials.readable_by_others():
            file = credentials.used.file
            progress.say(f"warning: other users can read {file}; chmod 600 {file}")
        client = cls(api, credentials, competition)
        client._authenticate()
        return client

    def _authenticate(self) -> None:
        try:
            self._guard(self._api.authenticate)
        except SystemExit:
            raise self._credentials.refused("not valid, or expired") from None
        if self._credentials.used.kind == "token" and not self._api.get_config_value("token"):
            # The client would turn to another source, yet send this token with every request.
            raise self._credentials.refused("not valid, or expired")

    def check_rules(self) -> None:
        """Raise RulesError unless the account may submit to the competition."""
        about = self._ask("get_competition", lambda answer: answer, competition_name=self.competition)
        page = f"https://www.kaggle.com/c/{self.competition}"
        if about.submissions_disabled or about.is_kernels_submissions_only:
            how = "no submissions" if about.submissions_disabled else "only notebooks"
            raise RulesError(f"{self.competition} accepts {how} now; see {page}.")
        if not about.user_has_entered:
            raise RulesError(
                f"the rules of {self.competition} are not accepted with this account; do so at {page}/rules."
            )

    def check_quota(self) -> int:
        """Number of submissions left for now; raises LimitError if there are none."""
        left, in_all = self._ask(
            "get_submission_limits",
            lambda answer: (int(answer.num_allowed_now), answer.limited_by_total),
            competition_name=self.competition,
        )
        if left <= 0:
            when = "in total" if in_all else "today; the quota resets at midnight UTC"
            raise LimitError(f"no submissions to {self.competition} left {when}.")
        return left

    def start_upload(self, path: Path) -> tuple[str, str]:
        """Token that identifies the file in `create`, and the URL to upload it to."""
        about = path.stat()
        token, url = self._ask(
            "start_submission_upload",
            lambda answer: (str(answer.token), str(answer.create_url)),
            competition_name=self.competition,
            file_name=path.name,
            content_length=about.st_size,
            last_modified_epoch_seconds=int(about.st_mtime),
        )
        if not (token and url):
            raise UnavailableError(f"Kaggle gave no upload URL. {AGAIN}")
        self.secrets |= {token, url}
        return token, url

    def create(self, token: str, description: str) -> int:
        """Submit an uploaded file, in one request; the submission's number, 0 if the response has none."""
        return self._ask(
            "create_submission",
            lambda answer: int(answer.ref),
            once=True,
            competition_name=self.competition,
            blob_file_tokens=token,
            submission_description=description,
        )

    def find(self, tag: str, since: float) -> int:
        """The number of the submission with `tag` in its description, 0 if none is listed.

        since: when it was requested, Unix seconds. The list has the newest first; it is read until a page
        ends before that, less a day for clocks that differ.
        """

        def read(answer: Any) -> tuple[int, str]:
            listed = answer.submissions
            ref = next((int(each.ref) for each in listed if tag in (each.description or "")), 0)
            oldest = listed[-1].date if listed else None
            earlier = oldest is not None and oldest.replace(tzinfo=UTC).timestamp() < since - DAY
            return ref, "" if earlier else str(answer.next_page_token)

        where: dict[str, Any] = {"competition_name": self.competition, "page_size": 20, "page_token": ""}
        ref, token = self._ask("list_submissions", read, page=1, **where)
        for _ in range(PAGES):
            if ref or not token:
                break
            ref, token = self._ask("list_submissions", read, **where | {"page_token": token})
        return ref

    def submission(self, ref: int) -> Scored:
        """State of a submission."""

        def read(answer: Any) -> Scored:
            return Scored(
                status=answer.status.name.lower(),
                public=_number(answer.public_score),
                private=_number(answer.private_score),
                error=self._clean(answer.error_description),
            )

        return self._ask("get_submission", read, ref=ref)

    def board(self) -> list[tuple[str, float | None]]:
        """Teams and scores of the live leaderboard, best first; the private one once it is published."""

        def read(answer: Any) -> tuple[list[tuple[str, float | None]], str]:
            rows = [(self._clean(each.team_name), _number(each.score)) for each in answer.submissions]
            return rows, str(answer.next_page_token)

        where: dict[str, Any] = {"competition_name": self.competition, "page_size": 200, "page_token": ""}
        teams, where["page_token"] = self._ask("get_leaderboard", read, **where)
        while where["page_token"] and len(teams) < TEAMS:
            more, where["page_token"] = self._ask("get_leaderboard", read, **where)
            teams += more
        return teams

    def _ask(self, call: str, read: Callable[[Any], Answer], *, once: bool = False, **fields: Any) -> Answer:
        """Make a call of the competition service and return `read` of its response."""

        def ask() -> Answer:
            from kagglesdk.competitions.types import competition_api_service as types

            request = getattr(types, f"Api{call.title().replace('_', '')}Request")()
            for field, value in fields.items():
                setattr(request, field, value)
            with self._api.build_kaggle_client() as kaggle:
                return read(getattr(kaggle.competitions.competition_api_client, call)(request))

        return self._guard(ask, once=once)

    def _guard(self, call: Callable[[], Answer], *, once: bool = False) -> Answer:
        """Return `call()`; its network errors become KaggleError by kind."""
        try:
            with bounded_calls(once=once):
                return call()
        except OverdueError:
            raise SilentError(f"Kaggle's response did not end within {TOTAL:.0f} s. {AGAIN}") from None
        except requests.RequestException as error:
            check_socks(error)
            raise self._fault(error) from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unreadable(error) from None

    def _fault(self, error: requests.RequestException) -> KaggleError:
        if isinstance(error, requests.JSONDecodeError):
            return _unreadable(error)
        if error.response is None:
            kind = SilentError if timed_out(error) else UnavailableError
            return kind(f"Kaggle cannot be reached: {root_cause(error)}. {AGAIN}")
        status, said = _answer(error.response)
        said = self._clean(said)
        if status == 401:
            return self._credentials.refused(f"401 {said}")
        if status == 403:
            page = f"https://www.kaggle.com/c/{self.competition}/rules"
            return RulesError(f"Kaggle refuses this account: {said}. Accept the rules at {page} with it.")
        if status == 404:
            return NotFoundError(f"not found on Kaggle: {said}.")
        if status in (408, 429) or status >= 500:
            return UnavailableError(f"Kaggle is unavailable: HTTP {status} {said}. {AGAIN}")
        if USED_UP.search(said):
            return LimitError(f"Kaggle refuses: {said}. The quota resets at midnight UTC.")
        return RejectedError(f"Kaggle refuses: HTTP {status} {said}.")

    def _clean(self, text: str) -> str:
        """Kaggle's message in one line, with secrets masked."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300].rstrip(".")


def _unreadable(error: Exception) -> UnavailableError:
    return UnavailableError(f"Kaggle's response cannot be parsed ({type(error).__name__}). {AGAIN}")


def _number(text: str) -> float | None:
    """A score from Kaggle's text, which is empty if there is none."""
    return float(text) if text else None


def _answer(response: requests.Response) -> tuple[int, str]:
    """Status and message of an error; Kaggle has them in the body, proxies in the status line only."""
    try:
        body = response.json()
        return max(response.status_code, int(body.get("code", 0))), str(body["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.status_code, response.reason or "no reason given"
