"""Recipes: every wrong setting is a clear error, and every bundled recipe loads."""

import pytest

from yt8m_kit import recipe
from yt8m_kit.dataset import AUDIOSET
from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Ema, Ensemble, Member, Range, Recipe

ONE = Member("frame_logistic", steps=1)


def test_every_bundled_recipe_loads_under_its_own_name():
    assert {"audioset", "baselines", "demo", "expanded"} <= set(recipe.names())
    for name in recipe.names():
        loaded = recipe.load(name)
        assert loaded.name == name
        assert loaded.description


def test_unknown_name_lists_the_existing_ones():
    with pytest.raises(UsageError, match=r"no recipe 'nope' .*there are: .*demo"):
        recipe.load("nope")
    made = Recipe("r", "d", AUDIOSET, {"a": ONE}, {"both": Ensemble(("a",))})
    with pytest.raises(UsageError, match="no member 'b' in recipe r; members: a; ensembles: both"):
        made.member("b")
    with pytest.raises(UsageError, match="no ensemble or member 'b'"):
        made.ensemble("b")
    assert made.ensemble("a") == Ensemble(("a",), weights=(1.0,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Member("x"), "either steps or epochs"),
        (lambda: Member("x", steps=1, epochs=1), "either steps or epochs"),
        (lambda: Member("x", steps=1, precision="half"), "precision must be one of float32, mixed_bfloat16"),
        (lambda: Range(5, 3), "first <= last; got first=5, last=3"),
        (lambda: Range(1, 3, 0), "searched must be at least 1"),
        (lambda: Ema(), "either steps or epochs"),
        (lambda: Ema(steps=1, gamma=0.0), r"gamma must be over 0 and at most 1; got 0\.0"),
        (lambda: Member("x", steps=1, keep_average="maybe"), "keep_average must be one of always, better"),
        (lambda: Member("x", steps=1, batch_size=10, accumulate=3), "divisible by accumulate"),
        (lambda: Member("x", steps=1, patience=5), "patience and keep_best need validate_steps"),
        (lambda: Ensemble(()), "at least one member"),
        (lambda: Ensemble(("a",), weights=(1.0, 2.0)), "weights must match members"),
        (lambda: Ensemble(("a",), codec="int3"), "codec must be one of"),
        (lambda: Recipe("r", "d", AUDIOSET, {}, {"e": Ensemble(("a",))}), "names unknown member 'a'"),
        (lambda: Recipe("r", "d", AUDIOSET, {"a": ONE}, {"a": Ensemble(("a",))}), "both a member and"),
    ],
)
def test_wrong_setting_is_a_usage_error(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_recipes_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("RECIPE = 3\n")
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    assert recipe.names() == ["mine"]
    with pytest.raises(UsageError, match="must export RECIPE"):
        recipe.load("mine")
