"""Faults of a submission to Kaggle: how the server fails, and what a user sees.

tests/submission/kaggle/test_faults.py runs them with short waits, tools/fault_table.py with the real ones,
for docs/faults.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kaggle_entrant import Entrant
from tests.fakes.kaggle_server import ALWAYS, KEY, TOKEN, USER, Fault, KaggleServer

GOOD_KEY = {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY}

NOWHERE = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}


@dataclass(frozen=True)
class Case:
    """A fault. what: in words. fails: step, fault, how often. server: its settings. env: credentials.

    json: content of ~/.kaggle/kaggle.json. csv: content of submission.csv, "" for no file. code, says: exit
    code, and a part of the last line of stderr; 0 and the score if the kit recovers. submissions: on Kaggle
    afterwards. mended: whether the same command succeeds once the fault is gone and the quiet period over.
    """

    what: str
    code: int = 0
    says: str = "public 0.87654, private 0.86543"
    fails: tuple[tuple[str, Fault, int], ...] = ()
    server: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=lambda: GOOD_KEY)
    json: str = ""
    csv: str | None = None
    submissions: int = 0
    mended: bool = True


def prepare(case: Case, server: KaggleServer, user: Entrant) -> None:
    """Set the fault up."""
    for step, fault, times in case.fails:
        server.fail(step, fault, times)
    for name, value in case.server.items():
        setattr(server, name, value)
    if case.json:
        user.config.write_text(case.json)
        user.config.chmod(0o600)
    if case.csv is not None:
        user.csv.write_text(case.csv)
    if case.csv == "":
        user.csv.unlink()


def status(code: int, message: str = "", retry_after: str = "") -> Fault:
    """An error answer."""
    return Fault("status", code, message or f"error {code}", retry_after)


def survived(what: str, *fails: tuple[str, Fault, int], **settings: Any) -> Case:
    """A fault from which the kit recovers."""
    return Case(what, fails=fails, submissions=1, **settings)


def fatal(what: str, code: int, says: str, *fails: tuple[str, Fault, int], **settings: Any) -> Case:
    """A fault that ends the command, with nothing submitted."""
    return Case(what, code, says, fails, **settings)


def unconfirmed(what: str, fault: Fault) -> Case:
    """A fault of the request that makes a submission, after which none is listed."""
    return Case(f"CreateSubmission: {what}", 11, "may still make the submission", (("create", fault, 1),))


RULES = "https://www.kaggle.com/c/youtube8m-2018/rules"
CASES = [
    # The file
    fatal("no submission.csv", 2, "run: yt8m predict toy blend", csv=""),
    fatal("a CSV with another header", 1, "line 1 must be 'VideoId,LabelConfidencePairs'", csv="id,labels\n"),
    # Credentials
    fatal("no credentials", 3, "no Kaggle credentials", env={}),
    fatal("kaggle.json is no JSON", 3, "cannot be read as JSON", env={}, json="{username: "),
    fatal("kaggle.json without a key", 3, 'kaggle.json has no "key"', env={}, json='{"username": "someone"}'),
    fatal("a key that Kaggle does not know", 3, "401 Unauthenticated", env=GOOD_KEY | {"KAGGLE_KEY": "old"}),
    fatal("KAGGLE_USERNAME with another account's kaggle.json", 3, "must belong to one account",
          env={"KAGGLE_USERNAME": "other"}, json=f'{{"username": "{USER}", "key": "{KEY}"}}'),
    fatal("expired KAGGLE_API_TOKEN before a good kaggle.json", 3, "KAGGLE_API_TOKEN (overrides",
          env={"KAGGLE_API_TOKEN": "expired"}, json=f'{{"username": "{USER}", "key": "{KEY}"}}'),
    fatal("KAGGLE_API_TOKEN refused with 401", 3, "401 expired", ("auth", status(401, "expired"), ALWAYS),
          env={"KAGGLE_API_TOKEN": TOKEN}),
    fatal("the check of the token is not answered", 7, "timed out", ("auth", Fault("silent"), ALWAYS),
          env={"KAGGLE_API_TOKEN": TOKEN}),
    # Rules and quota
    fatal("rules not accepted", 4, RULES, server={"entered": False}),
    fatal("403 at the start", 4, RULES, ("start", status(403, "You must accept the rules"), ALWAYS)),
    fatal("competition closed", 4, "accepts no submissions now", server={"disabled": True}),
    fatal("404", 5, "not found on Kaggle: error 404", ("limits", status(404), ALWAYS)),
    fatal("no submission left today", 6, "no submissions to youtube8m-2018 left", server={"left": 0}),
    fatal("400 with the limit as its reason", 6, "daily limit",
          ("create", status(400, "Your daily limit"), ALWAYS)),
    # Calls
    fatal("no connection to Kaggle", 7, "Connection refused", env=GOOD_KEY | NOWHERE),
    fatal("400", 9, "HTTP 400 error 400", ("start", status(400), ALWAYS)),
    fatal("429 always", 7, "HTTP 429 error 429", ("start", status(429), ALWAYS)),
    survived("429 with Retry-After, twice", ("start", status(429, retry_after="1"), 2)),
    fatal("500 always", 7, "HTTP 500 error 500", ("limits", status(500), ALWAYS)),
    survived("502 in HTML, once", ("info", Fault("html", 502), 1)),
    fatal("502 in HTML, always", 7, "HTTP 502 Bad Gateway", ("info", Fault("html", 502), ALWAYS)),
    survived("connection reset, three times", ("start", Fault("reset"), 3)),
    fatal("connection reset, always", 7, "Connection reset by peer", ("start", Fault("reset"), ALWAYS)),
    fatal("a call is never answered", 7, "timed out", ("limits", Fault("silent"), ALWAYS)),
    fatal("a response arrives byte by byte without end", 7, "did not end within",
          ("limits", Fault("drip"), ALWAYS)),
    fatal("200 without JSON", 7, "cannot be parsed", ("limits", Fault("garbage"), ALWAYS)),
    fatal("a number that is not one", 7, "cannot be parsed (ValueError)",
          ("limits", Fault("body", message='{"numAllowedNow": "many"}'), ALWAYS)),
    fatal("200 without an upload URL", 7, "no upload URL",
          ("start", Fault("body", message="{}"), ALWAYS)),
    survived("every answer takes 2 s", *((step, Fault("late", seconds=2), 3) for step in (
        "info", "limits", "start", "blob", "create", "poll"))),
    # Upload
    *(fatal(f"the storage answers {code}", 8, f"refuses the upload: HTTP {code}",
            ("blob", status(code), ALWAYS), ("held", status(code), ALWAYS)) for code in (400, 401, 403)),
    survived("the upload's URL has expired (404)", ("blob", status(404), 1)),
    *(fatal(f"the storage always answers {code}", 8, f"HTTP {code}", ("blob", status(code), ALWAYS))
      for code in (429, 500, 503)),
    survived("the storage answers 503 with Retry-After", ("blob", status(503, retry_after="1"), 1)),
    survived("connection lost during the upload, once", ("blob", Fault("cut", at=5000), 1)),
    survived("connection lost during the upload, three times", ("blob", Fault("cut", at=5000), 3)),
    fatal("connection lost during the upload, always", 8, "5 times in a row",
          ("blob", Fault("cut", at=0), ALWAYS)),
    fatal("the storage never answers", 8, "timed out", ("blob", Fault("silent"), ALWAYS),
          ("held", Fault("silent"), ALWAYS)),
    survived("308 with all bytes received, twice", ("blob", Fault("unfinished"), 1),
             ("held", Fault("unfinished"), 1)),
    fatal("308 with all bytes received, always", 8, "has all bytes", ("blob", Fault("unfinished"), ALWAYS),
          ("held", Fault("unfinished"), ALWAYS)),
    # Creating
    unconfirmed("500, not made", status(500)),
    unconfirmed("connection reset, not made", Fault("reset")),
    unconfirmed("never answered, not made", Fault("silent")),
    unconfirmed("redirected, not made", Fault("redirect")),
    unconfirmed("200 without a number, not made", Fault("body", message='{"message": "?"}')),
    survived("CreateSubmission: connection reset, made", ("create", Fault("reset", made=True), 1)),
    survived("CreateSubmission: connection reset, made, listed late",
             ("create", Fault("reset", made=True), 1), server={"hidden": 2}),
    *(survived(f"CreateSubmission: {code}, made", ("create", status(code)._replace(made=True), 1))
      for code in (400, 401, 403, 404, 409, 500)),
    Case("CreateSubmission: connection reset, made, not listed", 11, "may still make the submission", (
        ("create", Fault("reset", made=True), 1),), server={"hidden": ALWAYS}, submissions=1),
    Case("CreateSubmission: 400, made, not listed", 9, "the same command looks again first", (
        ("create", status(400)._replace(made=True), 1),), server={"hidden": ALWAYS}, submissions=1),
    *(Case(f"CreateSubmission: connection reset, made, then {code} always", 11, "it is not known whether", (
        ("create", Fault("reset", made=True), 1), ("list", status(code), ALWAYS)), submissions=1)
      for code in (403, 503)),
    fatal("CreateSubmission: 400, not made", 9, "HTTP 400 Unsupported. No submission [",
          ("create", status(400, "Unsupported"), ALWAYS)),
    # Score
    survived("the new submission is not found at first", ("poll", status(404), 2)),
    Case("no more answers while waiting", 7, "HTTP 503", (("poll", status(503), ALWAYS),), submissions=1),
    Case("Kaggle cannot score it", 9, "could not score submission 4711: Unknown id", server={
        "error": "Unknown id"}, submissions=1, mended=False),
    Case("no score within 30 minutes", 10, "has no score after", server={"pending": ALWAYS}, submissions=1),
]  # fmt: skip
