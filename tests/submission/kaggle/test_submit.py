"""From the CSV to a score on Kaggle and into the record, with the unmodified kaggle package."""

import json
import os
import signal
import subprocess
import sys
import time
from hashlib import md5, sha256
from pathlib import Path

import pytest

from tests.fakes.kaggle_entrant import VIDEOS
from tests.fakes.kaggle_entrant import entrant as make_entrant
from tests.fakes.kaggle_server import ALWAYS, KEY, PLACE, SECRETS, USER, Fault
from yt8m_kit.output.sealed import read_sealed
from yt8m_kit.submission import ledger
from yt8m_kit.submission.kaggle import attempt, bounded, errors, upload

GOOD = {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY}

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.fixture
def rows(entrant, monkeypatch):
    """Reads the record."""

    def read():
        with monkeypatch.context() as patch:
            patch.setenv("YT8M_RECIPES", str(entrant.recipes))
            return ledger.read()

    return read


def test_from_the_csv_to_the_score(kaggle, entrant, command, rows):
    score = {"sha256": sha256(entrant.csv.read_bytes()).hexdigest(), "all": 0.5}
    entrant.csv.with_name("score.json").write_text(json.dumps(score))
    entrant.csv.with_name("export.json").write_text('{"bytes": 900000000}')
    code, out, err = command(entrant.words("--message=first try"), **GOOD)
    assert (code, out) == (0, f"{entrant.ledger}\n")
    assert kaggle.steps() == ["info", "limits", "start", "blob", "create", "poll", "poll"]
    assert "credentials: KAGGLE_USERNAME and KAGGLE_KEY\n" in err
    assert "submissions left: 5\n" in err
    (made,) = kaggle.submissions
    assert made["md5"] == md5(entrant.csv.read_bytes()).hexdigest()
    assert made["description"].startswith("[yt8m-")
    assert made["description"].endswith("] first try")
    (row,) = rows().to_dict("records")
    assert row.pop("date").startswith("20")
    assert row == {
        "commit": "", "recipe": "toy", "ensemble": "blend", "model_bytes": 900_000_000,
        "bytes": entrant.csv.stat().st_size, "sha256": score["sha256"], "local": 0.5, "ref": 4711,
        "status": "complete", "public": 0.87654, "private": 0.86543,
    }  # fmt: skip
    assert not entrant.entry.exists()


def test_another_process_and_its_chatter(kaggle, entrant):
    """As a user runs it, with the client's VERBOSE, which prints every Authorization header."""
    kaggle.pending = 0
    done = run(kaggle, entrant, VERBOSE="1", **GOOD)
    assert (done.returncode, done.stdout) == (0, f"{entrant.ledger}\n"), done.stderr
    assert len(kaggle.submissions) == 1
    assert kaggle.steps().count("auth") == 0
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


def run(kaggle, entrant, *options, **variables):
    return subprocess.run(
        [sys.executable, "-m", "yt8m_kit.cli", *entrant.words(*options)], capture_output=True,
        encoding="utf-8", check=False, env=environment(kaggle, entrant, **variables), timeout=600,
    )  # fmt: skip


def environment(kaggle, entrant, **variables):
    paths = {"PYTHONPATH": str(Path(__file__).parents[3])}
    return entrant.environment() | kaggle.environment() | paths | variables


def test_the_csv_is_looked_at_first(kaggle, entrant, command, tiny_data):
    """Before credentials, of which there are none here, and before anything is asked of Kaggle."""
    lines = entrant.csv.read_text().splitlines(keepends=True)
    entrant.csv.write_text("".join([*lines[:5], lines[4], *lines[5:]]))
    code, _, err = command(entrant.words())
    assert code == 1
    assert "occurs more than once" in err.splitlines()[-1]
    entrant.csv.write_text("".join(lines[:-1]))
    code, _, err = command(entrant.words(f"--data={tiny_data.path}"))
    assert code == 1
    assert f"has {VIDEOS - 1} rows; the split has {VIDEOS} videos" in err.splitlines()[-1]
    entrant.csv.write_text("".join(lines))
    code, _, err = command(entrant.words(f"--data={tiny_data.path}"))
    assert code == 3
    assert "count not checked" not in err
    assert not kaggle.seen


def test_the_same_file_twice_asks_for_again(kaggle, entrant, command, rows):
    assert command(entrant.words(), **GOOD)[0] == 0
    code, _, err = command(entrant.words(), **GOOD)
    assert code == 2
    assert "submission 4711, complete, public 0.87654, private 0.86543. Use --again" in err
    assert len(kaggle.submissions) == 1
    assert command(entrant.words("--again"), **GOOD)[0] == 0
    assert rows().ref.tolist() == [4711, 4712]


def test_submitted_now_and_waited_for_later(kaggle, entrant, command, rows):
    code, out, _ = command(["submissions"])
    assert (code, out) == (0, f"no submissions yet; {entrant.ledger} will list them\n")
    assert command(entrant.words("--wait=False"), **GOOD)[0] == 0
    assert rows().status.tolist() == ["pending"]
    assert "poll" not in kaggle.steps()
    kaggle.pending = 2
    for status in ("pending", "pending", "complete"):
        code, out, _ = command(["submissions", "--kaggle"], **GOOD)
        assert (code, status in out) == (0, True)
    assert "0.87654" in out
    kaggle.pending = 3
    assert command(entrant.words("--again", "--wait=False"), **GOOD)[0] == 0
    assert command(entrant.words("--again"), **GOOD)[0] == 0, "what is pending is waited for, not sent again"
    assert len(kaggle.submissions) == 2
    assert rows().status.tolist() == ["complete", "complete"]


def test_a_dry_run_sends_nothing(kaggle, entrant, command):
    code, out, err = command(entrant.words("--dry_run"), **GOOD)
    assert (code, out) == (0, f"{entrant.csv}\n")
    assert "all checks passed, submissions left: 5; nothing was sent" in err
    assert kaggle.steps() == ["info", "limits"]
    assert not entrant.ledger.exists()


def test_an_attempt_with_another_tag_is_refused(kaggle, entrant, command):
    """By another tag the submission would not be found, and made twice."""
    kaggle.fail("blob", Fault("cut", at=5000), ALWAYS)
    kaggle.fail("held", Fault("reset"), ALWAYS)
    assert command(entrant.words(), **GOOD)[0] == 8
    kaggle.faults.clear()
    entrant.entry.write_text(entrant.entry.read_text().replace('"yt8m-', '"yt7m-'))
    code, _, err = command(entrant.words(), **GOOD)
    assert code == 1
    assert "kaggle_entry.json is damaged; see on Kaggle what was submitted" in err
    assert not kaggle.submissions


def test_an_upload_goes_on_where_it_was(kaggle, entrant, command):
    kaggle.fail("blob", Fault("cut", at=5000), ALWAYS)
    kaggle.fail("held", Fault("reset"), ALWAYS)
    code, _, err = command(entrant.words(), **GOOD)
    assert code == 8
    assert "the upload stands at 0 of" in err
    state = read_sealed(entrant.entry)
    assert (state["sent"], state["asked"], PLACE in state["url"]) == (False, False, True)
    assert entrant.entry.stat().st_mode & 0o777 == 0o600
    kaggle.faults.clear()
    assert command(entrant.words(), **GOOD)[0] == 0
    size = entrant.csv.stat().st_size
    assert [(seen.at, seen.size) for seen in kaggle.seen if seen.step == "blob"] == [
        (0, size),
        (5000, size - 5000),
    ]
    assert kaggle.steps().count("start") == 1
    assert kaggle.submissions[0]["md5"] == md5(entrant.csv.read_bytes()).hexdigest()


def test_killed_while_it_uploads(kaggle, tmp_path):
    """A process that gets SIGKILL in the middle of 5 MB; the next one sends the rest."""
    entrant = make_entrant(tmp_path / "entrant", videos=20_000)
    kaggle.fail("blob", Fault("stall", at=1 << 20))
    kaggle.pending = 0
    words = [sys.executable, "-m", "yt8m_kit.cli", *entrant.words()]
    process = subprocess.Popen(words, env=environment(kaggle, entrant, **GOOD), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (kaggle.places and len(kaggle.places[0].bytes) == 1 << 20):
        assert process.poll() is None
        time.sleep(0.01)
    line = Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in line]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not kaggle.submissions
    done = run(kaggle, entrant, **GOOD)
    assert done.returncode == 0, done.stderr
    first, second = (seen for seen in kaggle.seen if seen.step == "blob")
    assert (second.at, second.size) == (1 << 20, first.size - (1 << 20))
    assert [each["md5"] for each in kaggle.submissions] == [md5(entrant.csv.read_bytes()).hexdigest()]


def test_a_stalled_connection_is_not_waited_for(kaggle, tmp_path, monkeypatch):
    """The storage stops reading; what was sent until then need not be sent again."""
    monkeypatch.setattr(upload, "SECONDS", (0.8, 10))
    file = tmp_path / "big"
    file.write_bytes(os.urandom(30 << 20))
    kaggle.start({"contentLength": file.stat().st_size})
    kaggle.fail("blob", Fault("stall", at=1 << 20))
    began = time.monotonic()
    upload.upload(file, f"{kaggle.url}/upload?upload_id={PLACE}-0", resumed=False)
    assert time.monotonic() - began < 20
    assert kaggle.places[0].md5() == md5(file.read_bytes()).hexdigest()
    assert [seen.at for seen in kaggle.seen if seen.step == "blob"] == [0, 1 << 20]


def test_a_submission_that_was_made_after_all_is_found(kaggle, entrant, command, rows, monkeypatch):
    monkeypatch.setattr(bounded, "CREATE_SECONDS", (10, 0.3))
    kaggle.fail("create", Fault("late", seconds=1.5))
    code, _, err = command(entrant.words(), **GOOD)
    assert code == 11
    assert "looks for it first" in err
    deadline = time.monotonic() + 10
    while not kaggle.submissions and time.monotonic() < deadline:
        time.sleep(0.05)
    kaggle.left = 0
    monkeypatch.setattr(bounded, "CREATE_SECONDS", (10, 10))
    assert command(entrant.words(), **GOOD)[0] == 0
    assert len(kaggle.submissions) == 1
    assert rows().ref.tolist() == [4711]


def test_a_file_that_kaggle_refuses_is_sent_anew(kaggle, entrant, command):
    kaggle.fail("create", Fault("status", 400, "The uploaded file has expired"))
    assert command(entrant.words(), **GOOD)[0] == 9
    entrant.age_request(attempt.QUIET)
    assert command(entrant.words(), **GOOD)[0] == 0
    assert kaggle.steps().count("start") == 2


def test_a_message_of_kaggles_that_repeats_a_secret_is_masked(kaggle, entrant, command):
    kaggle.fail("start", Fault("status", 400, f"bad key {KEY}\nof {USER}"))
    code, _, err = command(entrant.words(), **GOOD)
    assert code == 9
    assert err.splitlines()[-1] == f"yt8m: Kaggle refuses: HTTP 400 bad key *** of {USER}."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to=local", "--message=x"], "--message and --again go with --to=kaggle"),
        (["--to=local", "--again"], "--message and --again go with --to=kaggle"),
        (["--to=kaggle", f"--message={'x' * 201}"], "at most 200 characters; got 201"),
        (["--to=kaggle", "--wait=perhaps"], "--wait takes no value, or true or false"),
    ],
)
def test_misuse(entrant, command, words, message):
    code, _, err = command(["submit", "toy", "blend", f"--runs={entrant.runs}", *words])
    assert code == 2
    assert message in err


@pytest.mark.usefixtures("tiny_recipes")
def test_a_recipe_without_a_competition(capsys):
    from yt8m_kit.cli.main import main

    assert main(["submit", "tiny", "blend", "--to=kaggle"]) == 2
    assert "recipe tiny is on demo, which is no Kaggle competition" in capsys.readouterr().err


def test_the_table_and_the_live_board(kaggle, entrant, command):
    assert command(["leaderboard"])[0] == 0
    readme = entrant.recipes / "README.md"
    row, other = (line for line in readme.read_text().splitlines() if "toy" in line)
    assert [cell.strip() for cell in row.split("|")[3:-2]] == [
        "944.6", "-", "0.88794", "-", "-", "0.88722", "-", "-",
    ]  # fmt: skip
    entrant.csv.with_name("export.json").write_text('{"bytes": 943718400}')
    assert command(entrant.words(), **GOOD)[0] == 0
    kaggle.teams = [("first", "0.9"), ("second", "0.87"), ("third", "0.86"), ("fourth", "")]
    code, out, _ = command(["leaderboard", "--kaggle"], **GOOD)
    assert (code, out.splitlines()[-1]) == (0, str(readme))
    assert "ours: toy blend, 0.86543, would rank 3 of 4" in out
    assert "first" in out
    row, other = (line for line in readme.read_text().splitlines() if "toy" in line)
    assert [cell.strip() for cell in row.split("|")[3:-2]] == [
        "944.6", "900.0", "0.88794", "0.87654", "-0.01140", "0.88722", "0.86543", "-0.02179",
    ]  # fmt: skip
    assert "`make submit RECIPE=toy ENSEMBLE=blend TO=kaggle`" in row
    assert other.count(" - ") == 8, "nothing reported, nothing submitted"


def test_a_reason_holds_no_url():
    import requests

    with pytest.raises(requests.ConnectionError) as caught:
        requests.put(f"http://127.0.0.1:9/upload?upload_id={PLACE}", timeout=1)
    assert PLACE in str(caught.value)
    assert errors.root_cause(caught.value) == "Connection refused"


@pytest.mark.long
def test_100_mb_through_cuts(kaggle, tmp_path):
    """Three cuts on the way, the real waits, a process of its own: the same bytes arrive, each once."""
    entrant = make_entrant(tmp_path / "entrant", videos=430_000)
    size = entrant.csv.stat().st_size
    assert size > 100e6
    for at in (size // 4, size // 4, size // 5):
        kaggle.fail("blob", Fault("cut", at=at))
    done = run(kaggle, entrant, **GOOD)
    assert done.returncode == 0, done.stderr
    parts = [(seen.at, seen.size) for seen in kaggle.seen if seen.step == "blob"]
    assert [at for at, _ in parts] == [0, size // 4, 2 * (size // 4), 2 * (size // 4) + size // 5]
    assert [each["md5"] for each in kaggle.submissions] == [md5(entrant.csv.read_bytes()).hexdigest()]
