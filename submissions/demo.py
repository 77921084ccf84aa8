"""Small members on synthesized records: the complete pipeline in a few minutes on two cores.

Command: make demo
"""

from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe

RECIPE = Recipe(
    name="demo",
    description="the synthesized set, toy sizes",
    dataset=DEMO,
    members={
        "frame_logistic": Member("frame_logistic", epochs=10, learning_rate=1e-2),
        "dbof": Member("dbof", {"clusters": 256, "hidden": 128, "draws": 30}, epochs=8, learning_rate=2e-3),
        "netvlad": Member(
            "netvlad",
            {"clusters": 16, "hidden": 256, "draws": 32, "probability_gate": False},
            batch_size=64,
            epochs=10,
            learning_rate=1e-3,
            checkpoint_steps=25,
            average=Range(400, 500),
        ),
    },
    ensembles={"blend": Ensemble(("frame_logistic", "dbof", "netvlad"), rounds=2)},
)
