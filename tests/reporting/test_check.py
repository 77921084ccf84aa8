"""`yt8m check`: passes for every shipped recipe, and names the differences of a wrong one."""

import pytest

from yt8m_kit import recipe as recipes
from yt8m_kit.cli.main import main
from yt8m_kit.reporting.check import check

QUICK = ("audioset", "demo", "expanded", "phoenixlin")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in recipes.names()],
)
def test_every_recipe_agrees_with_what_was_published(name, tmp_path):
    checked = check(recipes.load(name), tmp_path)
    assert checked.wrong == []
    assert checked.splits.rows[0] == {"split": "train", "shards": 0, "records": 0, "folder": str(tmp_path)}


RECIPE = """
from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.dataset import YOUTUBE8M_2018
RECIPE = Recipe("wrong", "d", YOUTUBE8M_2018, {
    "a": Member("frame_logistic", steps=1, published_parameters=4_452_885),
    "b": Member("frame_logistic", steps=1, published_mib={"float32": 16.99, "uint8": 4.27}),
    "big": Member("netvlad", {"clusters": 256, "hidden": 4096}, steps=1),
}, {"all": Ensemble(("a", "big"))})
"""


def test_what_differs_is_named(tmp_path, monkeypatch, capsys):
    """1152 * 3862 + 3862 parameters; uint8: 1 byte per kernel entry, 8 for its range, 4 per bias entry."""
    (tmp_path / "wrong.py").write_text(RECIPE)
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    assert main(["check", "wrong", f"--data={tmp_path}"]) == 1
    out, err = capsys.readouterr()
    assert "a has 4,452,886 parameters, published: 4,452,885" in err
    assert f"b is {(1152 * 3862 + 8 + 4 * 3862) / 2**20:.2f} MiB as uint8, published: 4.27" in err
    assert "float32, published" not in err
    assert "only some, by" in out
