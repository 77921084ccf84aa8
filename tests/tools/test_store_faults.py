"""The campaign of store faults: its table, and a short run."""

import random
import subprocess
import sys

import pytest

from tools.store_faults import Trial, rows

TRIAL = Trial.draw("cut", "once", random.Random(0))


def test_the_table_tells_how_trials_ended():
    ends = [
        "equal",
        "URL/a.tfrecord: not found (404)",
        "URL/b.tfrecord: status 500 (7 attempts)",
        "WRONG: other batches",
    ]
    [row] = rows({"cut": [(TRIAL, end) for end in (*ends, "URL/a.tfrecord: status 500 (2 attempts)")]})
    assert row == {
        "fault": "cut",
        "trials": 5,
        "equal": 1,
        "named": 3,
        "wrong": 1,
        "reasons": "not found (404); other batches; status 500",
    }


@pytest.mark.long
def test_faults_that_pass_change_no_byte():
    words = [sys.executable, "-m", "tools.store_faults", "--count", "16", "--seed", "1"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-3].split()[3:10:2] == ["16", "16", "0", "0"]
