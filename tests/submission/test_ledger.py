"""The ledger of submissions: rows round-trip, and a wrong cell is refused by line and column."""

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
    assert sorted(path.name for path in folder.iterdir()) == ["results.csv", "results.csv.sha256"]
    assert [row["commit"] for row in ledger.history().rows] == [ROW["commit"]] * 2


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(ledger.COLUMNS) + "\nx,y,z,e,many\n", "\0\0"])
def test_another_file_is_not_taken_for_it(folder, text):
    (folder / "results.csv").write_text(text)
    with pytest.raises(KitError, match=r"results\.csv"):
        ledger.upsert(ROW)
    assert (folder / "results.csv").read_text() == text


GOOD = {"date": "2026-01-01T00:00:00+00:00", "commit": "", "recipe": "toy", "ensemble": "blend",
        "model_bytes": "", "bytes": "7", "sha256": "1e5", "local": "", "ref": "4711", "status": "complete",
        "public": "0.1", "private": "0.30000000000000004"}  # fmt: skip


def write(folder, **changes):
    lines = [",".join(ledger.COLUMNS), ",".join(GOOD.values()), "", ",".join((GOOD | changes).values())]
    (folder / "results.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("ref", "", "must not be empty"),
        ("ref", "4711.0", "must be a whole number; got '4711.0'"),
        ("ref", "-1", "must be a whole number"),
        ("ref", "9" * 19, "must be a whole number"),
        ("date", "", "must not be empty"),
        ("date", "yesterday", "must be a date such as"),
        ("recipe", "", "must not be empty"),
        ("bytes", "7 MB", "must be a whole number"),
        ("local", "nan", "must be a number between 0 and 1"),
        ("public", "88.7", "must be a number between 0 and 1"),
        ("private", "high", "must be a number between 0 and 1"),
        ("status", "done", "must be one of pending, complete, error; got 'done'"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(folder, column, cell, message):
    write(folder, **{column: cell})
    with pytest.raises(KitError, match=rf"results\.csv: line 4, column {column}: {message}"):
        ledger.history()


def test_a_row_of_another_length_is_named_by_line(folder):
    write(folder, private="0.1,0.2")
    with pytest.raises(KitError, match="line 4 must have 12 cells; got 13"):
        ledger.read()


def test_numbers_are_read_exactly(folder):
    write(folder, private="", bytes="9007199254740993")
    first, second = ledger.read().to_dict("records")
    assert first["private"] == 0.1 + 0.2
    assert second["bytes"] == 2**53 + 1
    assert second["private"] != second["private"]


def test_the_commit_says_whether_something_was_changed(folder):
    assert ledger.commit() == ""
    for words in ("init -q", "add .", "-c user.name=x -c user.email=x@y commit -q --allow-empty -m x"):
        subprocess.run(["git", "-C", str(folder), *words.split()], check=True)
    head = ledger.commit()
    assert len(head) == 12
    (folder / "recipe.py").write_text("1")
    subprocess.run(["git", "-C", str(folder), "add", "."], check=True)
    assert ledger.commit() == head + "+"
