"""Every family on two devices: two processes as one, and no gathered batch in the compiled step."""

import json
from typing import Any

import pytest

from tests.support import families, two_processes

pytestmark = pytest.mark.long
SCRIPT = ["-m", "tests.support.sharded_families"]


def rows(text: str) -> dict[str, Any]:
    """What the script prints by row; Gloo prints lines of its own, such as "[Gloo] Rank 0 is connected"."""
    return dict(json.loads(line) for line in text.splitlines() if line.startswith('["'))


def test_two_processes_give_the_weights_of_one():
    whole = two_processes.one_process([*SCRIPT, "train"])
    assert whole.returncode == 0, whole.stderr
    expected = rows(whole.stdout)
    assert list(expected) == list(families.ROWS)
    for code, out, said in two_processes.finish(two_processes.start(*[[*SCRIPT, "train"]] * 2)):
        assert code == 0, said
        assert rows(out) == expected


def test_no_family_gathers_the_batch():
    """Sums over devices are all that is exchanged."""
    done = two_processes.one_process([*SCRIPT, "compile"])
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert list(found) == list(families.ROWS)
    assert {row: set(kinds) for row, kinds in found.items()} == {row: {"all-reduce"} for row in families.ROWS}
