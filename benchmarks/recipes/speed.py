"""Members at their real widths for benchmarks/inference/predict.py and benchmarks/training/start.py;
nothing to be trained.
"""

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.recipe import Ensemble, Member, Recipe

MEMBERS = {
    "netvlad": Member("netvlad", {"clusters": 64, "hidden": 1024}, batch_size=64, steps=1),
    "nextvlad": Member("nextvlad", {"clusters": 64, "hidden": 1024}, batch_size=64, steps=1),
    "dbof": Member("dbof", {"clusters": 4096, "draws": 30}, batch_size=64, steps=1),
}
FIRST_STEP = {"first_step": Member("netvlad", {"clusters": 64, "hidden": 1024}, batch_size=64, steps=1)}

RECIPE = Recipe(
    name="speed",
    description="members of random weights, to measure speed with",
    dataset=YOUTUBE8M_2018,
    members=MEMBERS | FIRST_STEP,
    ensembles={
        "codes": Ensemble(tuple(MEMBERS), codec="uint8"),
        "floats": Ensemble(tuple(MEMBERS), codec="float32"),
        "gathered": Ensemble(tuple(MEMBERS), codec="uint8"),
        "plain": Ensemble(tuple(MEMBERS), codec="uint8"),
    },
)
