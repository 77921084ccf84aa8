"""The record of submissions: what is written comes back, and nothing else passes for it."""

import subprocess

import pytest

from yt8m_kit.errors import KitError
from yt8m_kit.submission import ledger

ROW = {"date": "2026-01-01T00:00:00+00:00", "commit": "12345678", "recipe": "toy", "ensemble": "blend",
       "bytes": 7, "sha256": "1e5", "ref": 4711, "status": "pending"}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    return tmp_path


def test_rows_come_back_as_they_were(folder):
    """Also a commit and a hash that look like numbers."""
    ledger.upsert(ROW)
    ledger.upsert(ROW | {"ref": 4712})
    ledger.upsert({"ref": 4711, "status": "complete", "public": 0.1, "private": None})
    first, second = ledger.read().to_dict("records")
    assert {name: first[name] for name in ROW} == ROW | {"status": "complete"}
    assert first["public"] == 0.1
    assert first["private"] != first["private"]
    assert (second["ref"], second["status"]) == (4712, "pending")
    assert [path.name for path in folder.iterdir()] == ["results.csv"]
    assert "12345678" in ledger.history()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(ledger.COLUMNS) + "\nx,y,z,e,many\n", "\0\0"])
def test_another_file_is_not_taken_for_it(folder, text):
    (folder / "results.csv").write_text(text)
    with pytest.raises(KitError, match=r"results\.csv"):
        ledger.upsert(ROW)
    assert (folder / "results.csv").read_text() == text


def test_the_commit_says_whether_something_was_changed(folder):
    assert ledger.commit() == ""
    for words in ("init -q", "add .", "-c user.name=x -c user.email=x@y commit -q --allow-empty -m x"):
        subprocess.run(["git", "-C", str(folder), *words.split()], check=True)
    head = ledger.commit()
    assert len(head) == 12
    (folder / "recipe.py").write_text("1")
    subprocess.run(["git", "-C", str(folder), "add", "."], check=True)
    assert ledger.commit() == head + "+"
