"""Every way in which a submission to Kaggle goes wrong here: what is done to it, and what a user sees.

test_kaggle_faults.py runs them with short waits, fault_table.py as they are, for docs/faults.md.
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

    json: what ~/.kaggle/kaggle.json holds. csv: what submission.csv holds, "" for no file. code, says: the
    exit code, and what the last line of stderr holds; 0 and the score where the kit gets over it.
    submissions: on Kaggle afterwards. mended: whether the same command succeeds once the fault is gone.
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
    """Have it happen."""
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
    """A fault that the kit gets over."""
    return Case(what, fails=fails, submissions=1, **settings)


def fatal(what: str, code: int, says: str, *fails: tuple[str, Fault, int], **settings: Any) -> Case:
    """A fault that ends the command, with nothing submitted."""
    return Case(what, code, says, fails, **settings)


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
    fatal("KAGGLE_USERNAME beside another account's kaggle.json", 3, "must be of one account",
          env={"KAGGLE_USERNAME": "other"}, json=f'{{"username": "{USER}", "key": "{KEY}"}}'),
    fatal("expired KAGGLE_API_TOKEN before a good kaggle.json", 3, "KAGGLE_API_TOKEN (overrides",
          env={"KAGGLE_API_TOKEN": "expired"}, json=f'{{"username": "{USER}", "key": "{KEY}"}}'),
    fatal("KAGGLE_API_TOKEN refused with 401", 3, "401 expired", ("auth", status(401, "expired"), ALWAYS),
          env={"KAGGLE_API_TOKEN": TOKEN}),
    fatal("the check of the token is not answered", 7, "no answer in time", ("auth", Fault("silent"), ALWAYS),
          env={"KAGGLE_API_TOKEN": TOKEN}),
    # Rules and quota
    fatal("rules not accepted", 4, RULES, server={"entered": False}),
    fatal("403 at the start", 4, RULES, ("start", status(403, "You must accept the rules"), ALWAYS)),
    fatal("competition closed", 4, "takes nothing now", server={"disabled": True}),
    fatal("404", 5, "Kaggle finds nothing: error 404", ("limits", status(404), ALWAYS)),
    fatal("no submission left today", 6, "no submission to youtube8m-2018 left", server={"left": 0}),
    fatal("400 with the limit as its reason", 6, "daily limit",
          ("create", status(400, "Your daily limit"), ALWAYS)),
    # Calls
    fatal("no way to Kaggle", 7, "Connection refused", env=GOOD_KEY | NOWHERE),
    fatal("400", 9, "HTTP 400 error 400", ("start", status(400), ALWAYS)),
    fatal("429 for ever", 7, "HTTP 429 error 429", ("start", status(429), ALWAYS)),
    survived("429 with Retry-After, twice", ("start", status(429, retry_after="1"), 2)),
    fatal("500 for ever", 7, "HTTP 500 error 500", ("limits", status(500), ALWAYS)),
    survived("502 in HTML, once", ("info", Fault("html", 502), 1)),
    fatal("502 in HTML for ever", 7, "HTTP 502 Bad Gateway", ("info", Fault("html", 502), ALWAYS)),
    survived("connection reset, three times", ("start", Fault("reset"), 3)),
    fatal("connection reset for ever", 7, "Connection reset by peer", ("start", Fault("reset"), ALWAYS)),
    fatal("a call is never answered", 7, "no answer in time", ("limits", Fault("silent"), ALWAYS)),
    fatal("an answer drips for ever", 7, "does not come to an end", ("limits", Fault("drip"), ALWAYS)),
    fatal("200 with something else than JSON", 7, "cannot be read", ("limits", Fault("garbage"), ALWAYS)),
    fatal("numbers that are none", 7, "cannot be read (ValueError)",
          ("limits", Fault("body", message='{"numAllowedNow": "many"}'), ALWAYS)),
    fatal("200 with no place to upload to", 7, "no place to upload",
          ("start", Fault("body", message="{}"), ALWAYS)),
    survived("every answer takes 2 s", *((step, Fault("late", seconds=2), 3) for step in (
        "info", "limits", "start", "blob", "create", "poll"))),
    # Upload
    *(fatal(f"the storage answers {code}", 8, f"refuses the upload: HTTP {code}",
            ("blob", status(code), ALWAYS), ("held", status(code), ALWAYS)) for code in (400, 401, 403)),
    survived("the place to upload to has expired (404)", ("blob", status(404), 1)),
    *(fatal(f"the storage answers {code} for ever", 8, f"HTTP {code}", ("blob", status(code), ALWAYS))
      for code in (429, 500, 503)),
    survived("the storage answers 503 with Retry-After", ("blob", status(503, retry_after="1"), 1)),
    survived("upload cut, once", ("blob", Fault("cut", at=5000), 1)),
    survived("upload cut, three times", ("blob", Fault("cut", at=5000), 3)),
    fatal("upload always cut at once", 8, "5 times in a row", ("blob", Fault("cut", at=0), ALWAYS)),
    fatal("the storage never answers", 8, "no answer in time", ("blob", Fault("silent"), ALWAYS),
          ("held", Fault("silent"), ALWAYS)),
    # Creating
    survived("500 before the submission is made", ("create", status(500), 1)),
    survived("the submission is made, the answer lost", ("create", Fault("lost"), 1)),
    survived("the same, and it shows only later", ("create", Fault("lost"), 1), server={"hidden": 2}),
    survived("the answer names no submission", ("create", Fault("body", message='{"message": "?"}'), 1)),
    fatal("500 for ever instead of making it", 7, "HTTP 500", ("create", status(500), ALWAYS)),
    Case("made, the answer lost, and then no more answers", 11, "is not known", (
        ("create", Fault("lost"), 1), ("list", status(503), ALWAYS)), submissions=1),
    Case("the request to make it is never answered", 11, "does not say whether", (
        ("create", Fault("silent"), 1),)),
    fatal("Kaggle does not want the file", 9, "HTTP 400 Unsupported",
          ("create", status(400, "Unsupported"), ALWAYS)),
    # Score
    survived("the new submission is not found at first", ("poll", status(404), 2)),
    Case("no more answers while waiting", 7, "HTTP 503", (("poll", status(503), ALWAYS),), submissions=1),
    Case("Kaggle cannot score it", 9, "could not score submission 4711: Unknown id", server={
        "error": "Unknown id"}, submissions=1, mended=False),
    Case("no score within 30 minutes", 10, "has no score after", server={"pending": ALWAYS}, submissions=1),
]  # fmt: skip
