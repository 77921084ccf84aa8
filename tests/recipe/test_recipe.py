"""Recipes: every wrong setting is a clear error, and every bundled recipe loads."""

from typing import Any

import pytest

from yt8m_kit import recipe
from yt8m_kit.dataset import AUDIOSET, Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Ema, Ensemble, Member, Range, Recipe

ONE = Member("frame_logistic", steps=1)
UNTYPED: Any = Ensemble  # mistakes that a type checker would find
ANY_MEMBER: Any = Member


def member(**settings):
    return Member("frame_logistic", **{"steps": 1} | settings)


def netvlad(**hyperparameters):
    return Member("netvlad", hyperparameters, steps=1)


def dataset(**settings):
    given: dict[str, Any] = {"name": "d", "features": (("rgb", 4),), "classes": 3}
    return Dataset(**given | settings)


def made(members, ensembles=None, data=AUDIOSET):
    return Recipe("r", "d", data, members, ensembles or {})


def test_every_bundled_recipe_loads_under_its_own_name():
    assert {"audioset", "baselines", "demo", "expanded"} <= set(recipe.names())
    for name in recipe.names():
        loaded = recipe.load(name)
        assert loaded.name == name
        assert loaded.description


def test_unknown_name_lists_the_existing_ones():
    with pytest.raises(UsageError, match=r"no recipe 'nope' .*there are: .*demo"):
        recipe.load("nope")
    blend = made({"a": ONE}, {"both": Ensemble(("a",))})
    with pytest.raises(UsageError, match="no member 'b' in recipe r; members: a; ensembles: both"):
        blend.member("b")
    with pytest.raises(UsageError, match=r"no ensemble or member 'bth' .*Did you mean 'both'\?"):
        blend.ensemble("bth")
    assert blend.ensemble("a") == Ensemble(("a",), weights=(1.0,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: member(steps=None), "either steps or epochs"),
        (lambda: member(epochs=1), "either steps or epochs"),
        (lambda: member(precision="half"), "precision must be one of float32, mixed_bfloat16; got 'half'"),
        (lambda: member(learnig_rate=1), "no setting 'learnig_rate'. Did you mean 'learning_rate'"),
        (lambda: member(learning_rate="1e-2"), r"number \(over 0\); got '1e-2'. Write it without quotes"),
        (lambda: member(batch_size=0), r"batch_size must be a whole number \(at least 1\); got 0"),
        (lambda: member(steps=1e3), r"steps must be .* or None; got 1000\.0\. Write 1000"),
        (lambda: member(steps=None, epochs=-1), r"epochs must be a number \(over 0\) or None; got -1"),
        (lambda: member(average=5), r"average must be Range\(\.\.\.\) or Ema\(\.\.\.\) or None; got 5"),
        (lambda: member(keep_average="maybe"), "keep_average must be one of always, better"),
        (lambda: member(batch_size=10, accumulate=3), "divisible by accumulate"),
        (lambda: member(steps_down=3), r"steps_down must be a tuple such as \(1.0,\); got 3"),
        (lambda: member(steps_down=(3, 2)), r"epochs in ascending order; got \(3, 2\)"),
        (lambda: member(steps_down=(3,), schedule="cosine"), "exclude each other"),
        (lambda: member(schedule="cosin"), "one of staircase, cosine; got 'cosin'. Did you mean 'cosine'"),
        (
            lambda: member(steps=None, epochs=8, steps_down=(4, 8)),
            "steps_down must lie below epochs=8; got 8",
        ),
        (lambda: member(steps=None, epochs=2, warm_up=2), "warm_up must lie below epochs=2; got 2"),
        (lambda: member(label_smoothing=1.0), r"label_smoothing must be .* \(at least 0 and below 1\)"),
        (lambda: member(patience=5), "patience and keep_best need validate_steps"),
        (
            lambda: member(steps=9, average=Range(10, 20)),
            "average must hold a checkpoint; got steps 10 to 20",
        ),
        (
            lambda: member(steps=9, checkpoint_steps=4, average=Range(5, 7)),
            "with steps=9, checkpoint_steps=4",
        ),
        (lambda: member(published_mib={"int3": 1.0}), "unknown codec 'int3'. Did you mean 'int"),
        (lambda: Member("netvald", steps=1), "family must be one of .*; got netvald. Did you mean 'netvlad'"),
        (
            lambda: ANY_MEMBER(steps=1),
            r"Member: missing a required argument: 'family'; its settings: family, h",
        ),
        (lambda: netvlad(cluster=8), "netvlad has no hyperparameter cluster; .* Did you mean 'clusters'"),
        (lambda: netvlad(clusters="eight"), r"clusters must be a whole number \(at least 2\); got 'eight'"),
        (lambda: netvlad(clusters=0), "clusters must be .*; got 0"),
        (
            lambda: netvlad(fusion="erly"),
            "fusion must be one of late, early; got 'erly'. Did you mean",
        ),
        (lambda: netvlad(dropout=1), r"dropout must be a number \(at least 0 and below 1\); got 1"),
        (lambda: netvlad(gate=1), "gate must be True or False; got 1"),
        (lambda: netvlad(moe_l2=float("nan")), r"moe_l2 must be a number \(at least 0\); got nan"),
        (lambda: Range(5, 3), "first <= last; got first=5, last=3"),
        (lambda: Range(1, 3, 0), r"searched must be a whole number \(at least 1\)"),
        (lambda: Ema(), "either steps or epochs"),
        (lambda: Ema(steps=1, gamma=0.0), r"gamma must be a number \(over 0 and at most 1\); got 0\.0"),
        (lambda: Ensemble(()), "at least one member"),
        (lambda: UNTYPED("mean"), r'members must be a tuple such as \("a",\); got \'mean\''),
        (lambda: Ensemble(("a", "a")), "members must differ; got a, a"),
        (lambda: Ensemble(("a",), weights=(1.0, 2.0)), "weights must match members"),
        (lambda: Ensemble(("a",), weights=(0.0,)), "got only zeros"),
        (lambda: Ensemble(("a",), codec="int3"), "codec must be one of .*; got 'int3'. Did you mean 'int"),
        (lambda: Ensemble(("a",), limit=2**31), "limit must be .*from 1 to 1,073,741,824"),
        (lambda: dataset(features=("rgb", 4)), r'such as \(\("a", 1\),\); got \(\'rgb\', 4\)'),
        (lambda: dataset(features=(("rgb", 4), ("rgb", 4))), "different names"),
        (lambda: dataset(classes=0), "classes must be"),
        (lambda: made({}, {"e": Ensemble(("a",))}), "names unknown member 'a'"),
        (lambda: made({"a": ONE}, {"a": Ensemble(("a",))}), "both a member and"),
        (lambda: made({"a": Ensemble(("b",))}), r"members\['a'\] must be Member\(\.\.\.\)"),
        (lambda: made({"a/b": ONE}), "letters, digits, .*; got 'a/b'"),
        (lambda: made({"a": Member("hg_nl", {"reduction": 3}, steps=1)}), "member a: features must be divis"),
        (lambda: made({"a": netvlad(reduction=129)}), "member a: reduction must be at most .*128; got 129"),
    ],
)
def test_wrong_setting_is_a_usage_error(make, message):
    with pytest.raises(UsageError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_lists_stand_for_tuples():
    assert UNTYPED(["a", "b"], weights=[1, 2]) == Ensemble(("a", "b"), weights=(1, 2))
    assert dataset(features=[["rgb", 4]]) == dataset()


def test_label_smoothing_needs_single_labels():
    smooth = {"a": member(label_smoothing=0.1)}
    assert made(smooth, data=dataset(single_label=True))
    with pytest.raises(
        UsageError, match="member a: label_smoothing must be 0 unless each video has a single"
    ):
        made(smooth)


def test_initial_weights_are_of_a_member():
    assert made({"a": ONE, "b": member(initial="a"), "c": member(initial="kinetics-600/tsn")})
    with pytest.raises(UsageError, match=r"no member 'aa' in recipe r.*Did you mean 'a'"):
        made({"a": ONE, "b": member(initial="aa")})
    with pytest.raises(UsageError, match="initial must be a member of this recipe or RECIPE/MEMBER"):
        made({"a": ONE, "b": member(initial="both")}, {"both": Ensemble(("a",))})
    for wrong in ("../a", "r/a"):  # the recipe itself is r
        with pytest.raises(UsageError, match=rf"initial must be .*; got '{wrong}'"):
            made({"a": ONE, "b": member(initial=wrong)})


def test_teachers_and_initial_weights_form_no_cycle():
    with pytest.raises(UsageError, match="initial weights of a form a cycle: a <- b <- a"):
        made({"a": member(initial="b"), "b": member(teacher="a")})


def test_defaults_of_newer_settings_leave_records_as_they_were():
    """Products of before these settings are not stale."""
    newer = {"label_smoothing", "schedule", "steps_down", "warm_up", "initial"}
    assert not newer & member().frozen().keys()
    changed = {"schedule": "cosine", "warm_up": 1.0, "initial": "a", "label_smoothing": 0.1}
    assert changed.items() <= member(**changed).frozen().items()
    assert member(steps_down=(2,)).frozen()["steps_down"] == (2,)
