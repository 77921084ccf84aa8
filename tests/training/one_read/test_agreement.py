"""Members that cannot share a read are refused before a framework is imported."""

import os
import subprocess
import sys

import pytest

from tests.support.recipes import RECIPES
from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Member, Recipe, load
from yt8m_kit.training.one_read.agreement import check_agreement


def recipe(**members: Member) -> Recipe:
    return Recipe("r", "for a test", load("together").dataset, members)


def member(**settings):
    return Member("frame_logistic", **{"batch_size": 16, "steps": 1} | settings)


@pytest.fixture(autouse=True)
def recipes(tiny_recipes):
    """The recipes of the tests."""


def test_members_may_differ_in_what_is_their_own():
    check_agreement(load("together"), ["plain", "double", "mixed", "validated", "student", "long", "longer"])


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a": member(), "b": member(seed=3)}, "a and b read the records in another order: seed is 0 and 3"),
        (
            {"a": member(batch_size=40), "b": member()},
            "b and a cannot share batches: batch_size is 16 and 40, no multiple of 16. Give a 32 or 48",
        ),
        (
            {"a": member(), "b": member(batch_size=48, accumulate=2)},
            "a and b cannot share batches: batch_size / accumulate is 16 and 24, no multiple of 16",
        ),
    ],
)
def test_what_differs_is_named_with_both_values(members, said):
    with pytest.raises(UsageError, match=said):
        check_agreement(recipe(**members), [*members])


def test_whole_multiples_of_parts_agree():
    check_agreement(recipe(a=member(), b=member(batch_size=96, accumulate=2)), ["a", "b"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plain", "doubel"], "no member 'doubel' in recipe together"),
        (["plain", "plain"], "member plain is named twice"),
        (["plain", "other_order"], "seed is 0 and 1"),
        (["plain", "odd"], "batch_size is 16 and 24"),
        (["plain", "double", "--devices=2"], "--devices=2 divides one member over devices; got 2 members"),
    ],
)
def test_the_command_refuses_without_a_framework(words, said, tiny_data, tmp_path):
    assert said in refused(words, tiny_data, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_member_begun_from_other_sources_is_refused_before_any_other_begins(tiny_data, tmp_path):
    (tmp_path / "together/plain/checkpoints").mkdir(parents=True)
    assert "cannot resume" in refused(["double", "plain"], tiny_data, tmp_path)
    assert [path.name for path in (tmp_path / "together").iterdir()] == ["plain"]


def refused(words, data, runs):
    """What the command says, in one line, with exit code 2 and no framework imported."""
    code = (
        "import sys; from yt8m_kit.cli.main import main; code = main(sys.argv[1:]); "
        "assert not {'tensorflow', 'jax', 'keras'} & set(sys.modules); sys.exit(code)"
    )
    given = ["train", "together", *words, f"--data={data.path}", f"--runs={runs}"]
    command = [sys.executable, "-c", code, *given]
    environment = os.environ | {"YT8M_RECIPES": str(RECIPES)}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    return done.stderr
