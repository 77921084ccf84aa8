"""Damaged files are refused by name, left out with a message, or harmless; and the tool tells these apart."""

from random import Random

import pytest

from tools.fuzz.__main__ import PAGE, faults, run, table
from tools.fuzz.mutations import mutated
from tools.fuzz.outcomes import OUTCOMES, Kind, Outcome, fuzz
from yt8m_kit.errors import KitError
from yt8m_kit.output import progress

JSON = b'{"a": [1, 2.5, "x"], "b": {"c": null}}'
CSV = b"id,labels\nv1,1;2\nv2,3\n"


def refusing(message):
    raise KitError(message)


def told(file):
    progress.say(f"{file} is damaged: 1 row left out.")
    return file.read_bytes()


@pytest.mark.parametrize(
    ("expected", "read"),
    [
        ("silent", lambda file: file.read_bytes()),
        ("recovered", told),
        ("harmless", lambda file: 1),
        ("refused", lambda file: refusing(f"{file} is damaged.") if file.read_bytes() != JSON else 1),
        ("unnamed", lambda file: refusing("a file is damaged.") if file.read_bytes() != JSON else 1),
        ("unnamed", lambda file: refusing(f"{file}\nis damaged.") if file.read_bytes() != JSON else 1),
        ("traceback", lambda file: [1][file.read_bytes() != JSON]),
    ],
)
def test_outcomes_are_told_apart(tmp_path, expected, read):
    file = tmp_path / "file.json"
    file.write_bytes(JSON)
    result = fuzz(Kind("file", file, lambda: read(file)), 20, seed=0)
    assert result.counts == {expected: 20}
    assert bool(faults([result])) == (expected in ("silent", "unnamed", "traceback"))
    assert f"| {' | '.join('20' if outcome == expected else '0' for outcome in OUTCOMES)} |" in table(
        [result], 0
    )
    assert file.read_bytes() == JSON


@pytest.mark.parametrize(("content", "suffix"), [(JSON, ".json"), (CSV, ".csv"), (JSON + b"\n", ".jsonl")])
def test_mutations_differ_and_can_be_repeated(content, suffix):
    first, second = ([mutated(content, suffix, rng) for _ in range(300)] for rng in (Random(0), Random(0)))
    assert first == second
    assert content not in first
    assert len(set(first)) > 100


@pytest.mark.long
def test_nothing_is_silent_unnamed_or_a_traceback(tmp_path, monkeypatch):
    """All kinds of files, each damaged 200 times; each is in the table of docs/faults_files.md."""
    monkeypatch.setenv("YT8M_RECIPES", "")
    results = run(200, "", 1, tmp_path)
    assert faults(results) == []
    page = PAGE.read_text()
    assert [result.kind.name for result in results if f"| {result.kind.name} |" not in page] == []
    met: set[Outcome] = {outcome for result in results for outcome in result.counts}
    assert {"refused", "recovered", "harmless"} <= met
