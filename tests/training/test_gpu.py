"""JAX on a GPU gives the same weights each time. Skipped where JAX finds none."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.recipes import RECIPES
from tests.support.repeated_steps import ROWS
from yt8m_kit.machine.device import gpus

pytestmark = [pytest.mark.long, pytest.mark.skipif(not gpus(), reason="no NVIDIA GPU")]
OWN = {"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "YT8M_RECIPES": str(RECIPES)}


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        env=os.environ | OWN,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def finish(process):
    out, said = process.communicate()
    assert process.returncode == 0, said
    return out


def test_steps_of_published_sizes_repeat_their_bytes():
    one, other = (json.loads(finish(each)) for each in [start("tests.support.repeated_steps") for _ in "12"])
    assert list(one) == list(ROWS)
    assert one == other
    assert len(set(one.values())) == len(ROWS)


def test_members_from_one_read_are_as_trained_alone(tiny_data, tmp_path):
    members = ["plain", "double", "mixed"]

    def train(runs, *names):
        given = [f"--data={tiny_data.path}", f"--runs={tmp_path / runs}"]
        return start("yt8m_kit.cli", "train", "together", *names, *given)

    for each in [train("together", *members), *(train("alone", name) for name in members)]:
        finish(each)
    for member in members:
        one, other = (
            tmp_path / runs / "together" / member / "trained.weights.h5" for runs in ("together", "alone")
        )
        assert one.read_bytes() == other.read_bytes(), member
