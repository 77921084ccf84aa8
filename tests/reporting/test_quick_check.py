"""`yt8m check --quick`: every stage of every member and ensemble, the first failure by name, nothing left."""

import pickle
from dataclasses import replace

import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Ensemble, Member, Recipe, load
from yt8m_kit.reporting.quick_recipe import in_order, reduced

HEAD = """
from yt8m_kit.recipe import Ema, Ensemble, Member, Range, Recipe
from yt8m_kit.dataset import Dataset
DATASET = Dataset("own", (("clip", 24), ("sound", 8)), classes=30, max_frames=20, id_keys=("name",))
"""
GOOD = (
    HEAD
    + """
RECIPE = Recipe("own", "d", DATASET, {
    "a": Member("frame_logistic", batch_size=64, epochs=9, mixup=1.0),
    "b": Member("dbof", {"clusters": 8, "hidden": 8, "draws": 4}, batch_size=6, accumulate=3, steps=9_000,
                average=Range(6_000, 9_000, searched=2), keep_average="better", validate_steps=100,
                patience=100, keep_best=True),
    "c": Member("frame_logistic", steps=9_000, teacher="all", average=Ema(epochs=2)),
}, {
    "all": Ensemble(("a", "b"), codec="int4", calibrated=True),
    "last": Ensemble(("a", "b", "c"), weights=(1, 2, 0.5), codec="mixed", rounds=2),
})
"""
)
STAGES = ["train", "average", "evaluate", "export", "predict"]
BLENDED = ["ensemble", "quantize", "export", "predict"]


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Checks a recipe of this text; exit code, the words of each line but for the seconds, and stderr."""

    def run(text, *words):
        (tmp_path / "recipes").mkdir()
        (tmp_path / "recipes" / "own.py").write_text(text)
        monkeypatch.setenv("YT8M_RECIPES", str(tmp_path / "recipes"))
        code = main(["check", "own", "--quick", f"--runs={tmp_path / 'runs'}", *words])
        out, err = capsys.readouterr()
        # Said where no other test has imported it.
        err = err.removeprefix("starting TensorFlow\n")
        return code, [line.split()[:2] for line in out.splitlines()], err

    yield run
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]


@pytest.mark.long
def test_every_stage_of_every_member_and_ensemble_is_run(check):
    code, lines, err = check(GOOD)
    assert (code, err) == (0, "")
    assert lines[:-1] == [
        *(["a", "outline"], ["b", "outline"], ["c", "outline"], ["all", "size"], ["last", "size"]),
        *(["a", stage] for stage in STAGES),
        *(["b", stage] for stage in STAGES),
        *(["all", stage] for stage in [*BLENDED, "distill"]),
        *(["c", stage] for stage in STAGES),
        *(["last", stage] for stage in BLENDED),
    ]
    assert lines[-1] == ["recipe", "own"]


SMALL = """
RECIPE = Recipe("own", "d", DATASET, {"a": Member("frame_logistic", epochs=9)},
                {"only": Ensemble(("a",), codec="int4")})
"""


@pytest.mark.long
def test_a_small_recipe_passes_on_records_of_its_own_features(check):
    code, lines, err = check(HEAD + SMALL)
    assert (code, err) == (0, "")
    stages = [["a", stage] for stage in STAGES] + [
        ["only", stage] for stage in BLENDED if stage != "quantize"
    ]
    assert lines == [["a", "outline"], ["only", "size"], *stages, ["recipe", "own"]]


def test_what_the_last_stages_would_find_is_found_before_the_first(check):
    code, lines, err = check(GOOD.replace("rounds=2", "rounds=2, limit=900"))
    assert code == 1
    assert err.startswith("yt8m: recipe own, last, size: ensemble last is")
    assert err.count("\n") == 1
    assert "train" not in {stage for _, stage in lines}


def test_a_failure_in_a_stage_names_member_and_stage(check):
    """Overflowing weights: the loss of the only step is finite, its weights are not."""
    text = GOOD.replace(
        'Member("frame_logistic", batch_size=64', 'Member("frame_logistic", learning_rate=1e39'
    )
    code, lines, err = check(text)
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("yt8m: recipe own, a, ")
    assert ["a", "outline"] in lines
    assert ["b", "train"] not in lines


@pytest.mark.long
def test_records_that_lack_a_split_are_named(check, tmp_path):
    code, _, err = check(GOOD, f"--data={tmp_path}")
    assert (code, f"recipe own, a, train: no train shards: looked for {tmp_path}" in err) == (1, True)


def test_teachers_come_before_their_students_and_members_before_ensembles():
    recipe = load("reach")
    order = in_order(recipe)
    assert sorted(order) == sorted([*recipe.members, *recipe.ensembles])
    for name, member in recipe.members.items():
        assert member.teacher is None or order.index(member.teacher) < order.index(name)
    for name, blend in recipe.ensembles.items():
        assert all(order.index(member) < order.index(name) for member in blend.members)


def test_an_ensemble_is_reduced_to_its_smallest_members_with_a_weight():
    members = {name: Member("frame_logistic", steps=1) for name in "abcd"}
    blends = {
        "fixed": Ensemble(tuple("abcd"), weights=(4, 3, 0, 1)),
        "searched": Ensemble(tuple("dcba")),
        "two": Ensemble(("a", "d"), weights=(1, 0)),
    }
    found = reduced(Recipe("r", "d", DEMO, members, blends), {"a": 40, "b": 30, "c": 10, "d": 20}).ensembles
    assert (found["fixed"].members, found["fixed"].weights) == (("d", "b"), (1, 3))
    assert (found["searched"].members, found["searched"].weights) == (("c", "d"), None)
    assert found["two"] == blends["two"]


def test_what_starts_from_a_member_comes_after_it_and_what_another_process_lacks_is_left_out():
    """Runs of other recipes are not there, and a function of a recipe's file cannot be sent."""
    members = {
        "late": Member("frame_logistic", steps=1, initial="early"),
        "early": Member("frame_logistic", steps=1, initial="kinetics600/tsn"),
    }
    recipe = replace(load("kinetics"), dataset=DEMO, members=members, ensembles={})
    found = reduced(recipe, {"late": 1, "early": 1})
    assert in_order(found) == ["early", "late"]
    assert [found.members[name].initial for name in ("late", "early")] == ["early", None]
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.long
@pytest.mark.parametrize("name", ["demo", "kinetics"])
def test_shipped_recipes_pass(name, tmp_path, capsys):
    assert main(["check", name, "--quick", f"--runs={tmp_path}"]) == 0
    assert f"recipe {name} passed" in capsys.readouterr().out
