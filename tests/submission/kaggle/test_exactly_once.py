"""Exactly one submission, whatever is answered to the request that makes it, with the real kaggle package."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.kaggle_faults import GOOD_KEY, status
from tests.fakes.kaggle_server import ALWAYS, Fault
from tools.submission_campaign import FAULTS, SCENARIOS, run
from yt8m_kit.output.sealed import read_sealed, sealed
from yt8m_kit.submission.kaggle import attempt, upload

pytestmark = pytest.mark.usefixtures("short_waits")

DOUBT = 11
REFUSALS = {400: 9, 401: 3, 403: 4, 404: 5, 409: 9}  # exit codes by status
ANSWERS = {str(code): status(code) for code in (*REFUSALS, 429, 500)} | {
    "reset": Fault("reset"),
    "redirect": Fault("redirect"),
    "no number": Fault("body", message="{}"),
    "no JSON": Fault("garbage"),
}


@pytest.fixture
def submit(entrant, command):
    """Runs the command; its exit code and last line."""

    def run(*options):
        code, _, err = command(entrant.words(*options), **GOOD_KEY)
        return code, err.splitlines()[-1]

    return run


@pytest.mark.parametrize("answer", ANSWERS)
def test_made_and_listed_late(kaggle, submit, answer):
    """Listed neither for the first command nor for the second; the third finds it."""
    kaggle.fail("create", ANSWERS[answer]._replace(made=True))
    kaggle.hidden = 2 * len(attempt.LOOKS)
    assert submit()[0] == REFUSALS.get(int(answer) if answer.isdigit() else 0, DOUBT)
    assert submit()[0] == DOUBT
    assert submit()[0] == 0
    assert len(kaggle.submissions) == kaggle.steps().count("create") == 1


@pytest.mark.parametrize("answer", ANSWERS)
def test_not_made(kaggle, entrant, submit, answer):
    """Requested again only after the quiet period."""
    kaggle.fail("create", ANSWERS[answer])
    code, line = submit()
    assert code == REFUSALS.get(int(answer) if answer.isdigit() else 0, DOUBT)
    assert "listed" in line
    assert "yt8m-" in line
    entrant.age_request(attempt.QUIET - 600)
    code, line = submit()
    assert code == DOUBT
    assert "not listed 50 minutes after its request" in line
    assert "Run the same command in 10 minutes" in line
    assert kaggle.steps().count("create") == 1
    entrant.age_request(600)
    assert submit()[0] == 0
    assert len(kaggle.submissions) == 1
    assert kaggle.steps().count("create") == 2


def test_again_does_not_override_doubt(kaggle, submit):
    assert submit()[0] == 0
    kaggle.fail("create", Fault("reset", made=True))
    kaggle.hidden = 2 * len(attempt.LOOKS)
    assert [submit("--again")[0] for _ in range(3)] == [DOUBT, DOUBT, 0]
    assert len(kaggle.submissions) == 2


def test_a_refused_list_leaves_the_doubt(kaggle, submit):
    kaggle.fail("create", Fault("reset", made=True))
    kaggle.fail("list", status(401), 2)
    assert [submit()[0] for _ in range(3)] == [DOUBT, DOUBT, 0]
    assert len(kaggle.submissions) == 1


def test_a_clock_set_back_starts_the_quiet_period_anew(kaggle, entrant, submit):
    kaggle.fail("create", Fault("reset"))
    assert submit()[0] == DOUBT
    entrant.age_request(-1e6)
    code, line = submit()
    assert code == DOUBT
    assert "not listed 0 minutes after" in line
    entrant.age_request(attempt.QUIET)
    assert submit()[0] == 0


def test_a_state_without_the_time_of_the_request(kaggle, entrant, submit):
    """The file's own time stands in for it."""
    kaggle.fail("create", Fault("reset"))
    assert submit()[0] == DOUBT
    state = read_sealed(entrant.entry)
    assert abs(state.pop("requested") - time.time()) < 60
    entrant.entry.write_text(json.dumps(state))
    assert submit()[0] == DOUBT
    assert kaggle.steps().count("create") == 1


@pytest.mark.parametrize("is_sealed", [True, False], ids=["with a digest", "of an older version"])
@pytest.mark.parametrize("damage", [{"requested": "now"}, {"asked": 1}, {"tag": None}, {"more": 1}])
def test_a_damaged_state(kaggle, entrant, submit, damage, is_sealed):
    kaggle.fail("create", Fault("reset", made=True))
    kaggle.hidden = ALWAYS
    assert submit()[0] == DOUBT
    state = read_sealed(entrant.entry) | damage
    entrant.entry.write_text(json.dumps(sealed(state) if is_sealed else state))
    code, line = submit()
    assert code == 1
    assert f"{entrant.entry} is damaged" in line
    assert len(kaggle.submissions) == 1


def test_a_submission_on_a_later_page_is_found(kaggle, submit):
    kaggle.fail("create", Fault("reset", made=True))
    kaggle.hidden = len(attempt.LOOKS)
    assert submit()[0] == DOUBT
    others = [kaggle.submissions[0] | {"ref": 5000 + i, "description": "other"} for i in range(45)]
    kaggle.submissions += others
    assert submit()[0] == 0
    assert len(kaggle.submissions) == 46
    tokens = [seen.body.get("pageToken", "") for seen in kaggle.seen if seen.step == "list"]
    assert tokens[-3:] == ["", "20", "40"]


def test_pages_before_the_request_are_not_read(kaggle, submit):
    earlier = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    other = {"ref": 1, "description": "other", "md5": "", "polls": 0, "date": earlier}
    kaggle.submissions += [other] * 45
    kaggle.fail("create", Fault("reset"))
    assert submit()[0] == DOUBT
    assert kaggle.steps().count("list") == len(attempt.LOOKS)


def test_an_upload_that_is_called_incomplete_with_all_bytes(kaggle, entrant, submit):
    """308 means incomplete: the status is asked for again, and the upload repeated in the end."""
    kaggle.fail("blob", Fault("unfinished"))
    kaggle.fail("held", Fault("unfinished"), upload.ROUNDS)
    assert submit()[0] == 0
    size = entrant.csv.stat().st_size
    parts = [(seen.step, seen.size) for seen in kaggle.seen if seen.step in ("start", "blob", "held")]
    assert parts == [
        ("start", 0),
        ("blob", size),
        *[("held", 0)] * upload.ROUNDS,
        ("start", 0),
        ("blob", size),
    ]
    assert len(kaggle.submissions) == 1


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS[::3], ids="-".join)
def test_campaign(scenario):
    """A third of the campaign, each in processes of its own."""
    assert run(scenario).good


def test_the_campaign_is_documented():
    from tools.submission_campaign import ROOT

    assert len(SCENARIOS) == 5 * len(FAULTS) == 100
    page = (ROOT / "docs" / "submission_faults.md").read_text()
    assert "\n100 of 100 are good.\n" in page
    assert not [fault for fault in FAULTS if page.count(f"| {fault} |") != 5]
