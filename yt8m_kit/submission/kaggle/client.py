"""Kaggle's calls through its own client: quiet, bounded in time, repeated where that is harmless."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import requests

from yt8m_kit.output import progress
from yt8m_kit.submission.kaggle.bounded import OverdueError, bounded_calls, load
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
AGAIN = "Nothing is lost: the same command goes on where it was."

# Words by which Kaggle says that the day's submissions are used up.
USED_UP = re.compile(r"allowance|quota|daily|per day|today|submission limit", re.IGNORECASE)

Answer = TypeVar("Answer")


class Scored(NamedTuple):
    """A submission as Kaggle sees it: status pending, complete or error; scores where there are any."""

    status: str
    public: float | None
    private: float | None
    error: str


class Client:
    """The calls of a submission to one competition.

    Each raises AuthError, RulesError, NotFoundError, LimitError or RejectedError for what Kaggle refuses
    and UnavailableError for no answer or an unreadable one, after limits.TOTAL seconds at most.
    """

    def __init__(self, api: Any, credentials: Credentials, competition: str):
        self.competition = competition
        self._api, self._credentials = api, credentials
        self.secrets = {secret for source in (credentials.used, *credentials.overridden)
                        for secret in source.secrets}  # fmt: skip

    @classmethod
    def connect(cls, competition: str) -> "Client":
        """Load the client and authenticate, saying where the credentials come from; AuthError without."""
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
            # The client would go on to another source and yet send this token with every request.
            raise self._credentials.refused("not valid, or expired")

    def check_rules(self) -> None:
        """Raise RulesError unless the account may hand a file in to the competition."""
        about = self._ask("get_competition", lambda answer: answer, competition_name=self.competition)
        page = f"https://www.kaggle.com/c/{self.competition}"
        if about.submissions_disabled or about.is_kernels_submissions_only:
            how = "nothing" if about.submissions_disabled else "only notebooks"
            raise RulesError(f"{self.competition} takes {how} now; see {page}.")
        if not about.user_has_entered:
            raise RulesError(
                f"the rules of {self.competition} are not accepted with this account; do so at {page}/rules."
            )

    def check_quota(self) -> int:
        """Submissions left for now; LimitError if there are none."""
        left, in_all = self._ask(
            "get_submission_limits",
            lambda answer: (int(answer.num_allowed_now), answer.limited_by_total),
            competition_name=self.competition,
        )
        if left <= 0:
            when = "in all" if in_all else "today; the count starts anew at midnight UTC"
            raise LimitError(f"no submission to {self.competition} left {when}.")
        return left

    def start_upload(self, path: Path) -> tuple[str, str]:
        """The token by which to name the file afterwards, and the URL to send it to."""
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
            raise UnavailableError(f"Kaggle gave no place to upload to. {AGAIN}")
        self.secrets |= {token, url}
        return token, url

    def create(self, token: str, description: str) -> int:
        """Enter an uploaded file, tried once; the submission's number, 0 where the answer holds none."""
        return self._ask(
            "create_submission",
            lambda answer: int(answer.ref),
            once=True,
            competition_name=self.competition,
            blob_file_tokens=token,
            submission_description=description,
        )

    def find(self, tag: str) -> int:
        """The number of the recent submission with `tag` in its description, 0 if there is none."""
        return self._ask(
            "list_submissions",
            lambda answer: next((int(each.ref) for each in answer.submissions if tag in each.description), 0),
            competition_name=self.competition,
            page=1,
            page_token="",
            page_size=20,
        )

    def submission(self, ref: int) -> Scored:
        """How a submission stands."""

        def read(answer: Any) -> Scored:
            return Scored(
                status=answer.status.name.lower(),
                public=_number(answer.public_score),
                private=_number(answer.private_score),
                error=self._clean(answer.error_description),
            )

        return self._ask("get_submission", read, ref=ref)

    def board(self) -> list[tuple[str, float | None]]:
        """Teams and scores of the live leaderboard, best first; the private one where it is out."""

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
        """What `read` makes of the answer to a call of the competition service."""

        def ask() -> Answer:
            from kagglesdk.competitions.types import competition_api_service as types

            request = getattr(types, f"Api{call.title().replace('_', '')}Request")()
            for field, value in fields.items():
                setattr(request, field, value)
            with self._api.build_kaggle_client() as kaggle:
                return read(getattr(kaggle.competitions.competition_api_client, call)(request))

        return self._guard(ask, once=once)

    def _guard(self, call: Callable[[], Answer], *, once: bool = False) -> Answer:
        """What `call` returns, with its network errors as faults of one line."""
        try:
            with bounded_calls(once=once):
                return call()
        except OverdueError:
            raise SilentError(f"Kaggle's answer does not come to an end. {AGAIN}") from None
        except requests.RequestException as error:
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
            return NotFoundError(f"Kaggle finds nothing: {said}.")
        if status in (408, 429) or status >= 500:
            return UnavailableError(f"Kaggle cannot answer now: HTTP {status} {said}. {AGAIN}")
        if USED_UP.search(said):
            return LimitError(f"Kaggle refuses: {said}. The count starts anew at midnight UTC.")
        return RejectedError(f"Kaggle refuses: HTTP {status} {said}.")

    def _clean(self, text: str) -> str:
        """Kaggle's words in one line, without a secret that they may repeat."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300].rstrip(".")


def _unreadable(error: Exception) -> UnavailableError:
    return UnavailableError(f"Kaggle's answer cannot be read ({type(error).__name__}). {AGAIN}")


def _number(text: str) -> float | None:
    """A score, which Kaggle gives as text, empty where there is none."""
    return float(text) if text else None


def _answer(response: requests.Response) -> tuple[int, str]:
    """Status and message of an error; Kaggle gives them in the body, proxies in the first line only."""
    try:
        body = response.json()
        return max(response.status_code, int(body.get("code", 0))), str(body["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.status_code, response.reason or "no reason given"
