"""What members say, on one stderr."""

import re

import pytest

from tests.support.recipes import RECIPES
from tests.support.terminal import in_terminal, lines_of
from yt8m_kit.training.one_read.display import STATE, Display

COLUMNS = 90


def test_each_line_has_the_name_of_its_member_once(capsys):
    display = Display(["a", "b"])
    display.follow("a", [b"a:  20%|##   | 2/10\n", b"validate:   5%|   | 1/20\n", b"\n"])
    display.follow("b", [b"yt8m: the loss became nan before step 10\n", b"device: \xff\n"])
    assert capsys.readouterr().err.splitlines() == [
        "a:  20%|##   | 2/10",
        "a: validate:   5%|   | 1/20",
        "b: the loss became nan before step 10",
        "b: device: \ufffd",
    ]


@pytest.mark.parametrize(
    ("line", "is_state"),
    [
        ("a:  20%|##  | 1.28k/6.40k [00:10<00:20, 350 videos/s, loss=0.4]", True),
        ("resuming runs/a after step 20", False),
        ("train tiny a: done in 00:05, 250kB in runs/a/trained.weights.h5; next: yt8m average tiny a", False),
        ("train, 2 shards in data: 60 videos, 100% labelled with 3.0 labels each", False),
    ],
)
def test_states_of_bars_are_told_from_remarks(line, is_state):
    assert bool(STATE.search(line)) == is_state


@pytest.mark.long
def test_a_terminal_has_a_line_a_member_that_does_not_wrap(tiny_data, tmp_path):
    words = ["train", "together", "plain", "mixed", f"--data={tiny_data.path}", f"--runs={tmp_path}"]
    text = in_terminal(words, COLUMNS, YT8M_RECIPES=str(RECIPES), KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    states = [each for each in re.split(r"[\r\n]|\x1b\[A", text) if STATE.search(each)]
    assert {each.partition(":")[0] for each in states} == {"plain", "mixed"}
    assert max(map(len, states)) <= COLUMNS
    lines = lines_of(text)
    for member in ("plain", "mixed"):
        assert [f"{member}: train together {member}: done" in line for line in lines].count(True) == 1
    assert lines[-2:] == [f"{tmp_path}/together/{member}/trained.weights.h5" for member in ("plain", "mixed")]
