"""Faults of a submission to Kaggle: one clear line, its exit code, nothing lost, no secret shown.

In process, with the unmodified kaggle package against the loopback server and with short waits.
"""

from pathlib import Path

import pytest

from tests.fakes.kaggle_faults import CASES, prepare
from tests.fakes.kaggle_server import SECRETS
from yt8m_kit.cli.process.endings import FAULT
from yt8m_kit.submission.kaggle import attempt, await_score, bounded, errors, upload

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_fault(case, kaggle, entrant, command, monkeypatch):
    good = entrant.csv.read_text()
    prepare(case, kaggle, entrant)
    for step, planned in kaggle.faults.items():
        kaggle.faults[step] = [fault._replace(seconds=fault.seconds / 20) for fault in planned]
    with monkeypatch.context() as patch:
        for step, fault, _ in case.fails:
            hurry(patch, step, fault.kind)
        if case.code == errors.WaitError.exit_code:
            patch.setattr(await_score, "WAIT", 0.3)
        code, out, err = command(entrant.words(), **case.env)
    assert code == case.code, err
    last = err.splitlines()[-1]
    assert case.says in last
    assert code == 0 or (last.startswith("yt8m: ") and last.count("yt8m: ") == 1)
    assert "Traceback" not in err
    assert FAULT not in err
    assert len(kaggle.submissions) == case.submissions
    assert_no_secrets(out, err, entrant)
    if code and case.mended:
        mend(kaggle, case)
        entrant.csv.write_text(good)
        entrant.age_request(attempt.QUIET)
        code, _, err = command(entrant.words(), KAGGLE_API_TOKEN=SECRETS[1])
        assert code == 0, err
        assert len(kaggle.submissions) == 1
    if case.mended:
        assert not entrant.entry.exists()


def hurry(patch, step, kind):
    """Wait no longer than this for an answer that does not come."""
    if kind == "drip":
        patch.setattr(bounded, "TOTAL", 1.0)
    elif kind == "silent" and step in ("blob", "held"):
        patch.setattr(upload, "SECONDS", (0.3, 0.3))
    elif kind == "silent":
        patch.setattr(bounded, "CREATE_SECONDS" if step == "create" else "SECONDS", (0.3, 0.3))


def mend(kaggle, case):
    """Everything works again; the credentials are the caller's to mend."""
    kaggle.faults.clear()
    for name in case.server:
        setattr(
            kaggle, name, {"entered": True, "disabled": False, "left": 5, "pending": 1, "hidden": 0}[name]
        )


def assert_no_secrets(out, err, entrant):
    """Neither what was printed nor what was written, but for the state of an upload, holds a secret."""
    files = [
        path for path in entrant.home.rglob("*") if path.is_file() and path.parent != entrant.config.parent
    ]
    written = {"stdout": out.encode(), "stderr": err.encode()} | {
        str(path): path.read_bytes() for path in files if path != entrant.entry
    }
    for place, content in written.items():
        assert not [secret for secret in SECRETS if secret.encode() in content], place
    for path in (entrant.entry, entrant.entry.with_name(".kaggle_entry.json.partial")):
        assert not path.exists() or path.stat().st_mode & 0o777 == 0o600


def test_every_fault_is_documented():
    table = (Path(__file__).parents[3] / "docs" / "faults.md").read_text()
    assert not [case.what for case in CASES if f"| {case.what} |" not in table]
