"""An average that scores exactly as the trained weights do."""

import json

from yt8m_kit.cli.main import main

RECIPE = """
from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Member, Range, Recipe

RECIPE = Recipe("equal", "d", DEMO, {
    "m": Member("frame_logistic", steps=4, batch_size=10, average=Range(4, 4), keep_average="better"),
}, {})
"""


def test_the_trained_weights_are_kept(tiny_data, tmp_path, monkeypatch):
    """The only checkpoint of the range is the last one, and the family has no BatchNorm."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/equal.py").write_text(RECIPE)
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path / "recipes"))
    places = [f"--data={tiny_data.path}", f"--runs={tmp_path / 'runs'}"]
    assert main(["train", "equal", "m", *places]) == 0
    assert main(["average", "equal", "m", *places]) == 0
    run = tmp_path / "runs/equal/m"
    scores = json.loads((run / "average.json").read_text())
    assert scores["averages"] == {"range 4-4": scores["trained"]}
    assert scores["kept"] == "trained"
    assert (run / "averaged.weights.h5").read_bytes() == (run / "trained.weights.h5").read_bytes()
