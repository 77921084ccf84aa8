"""3862 real labels on frames spread around real scene means: the full label set on a small machine.

Command: make results RECIPE=expanded DATA=FOLDER_OF_RECORDS
"""

from dataclasses import replace

from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.spec import YOUTUBE8M_2018

RECIPE = Recipe(
    name="expanded",
    description="YouTube-8M's features and labels on 9,000 expanded videos, small sizes",
    dataset=replace(YOUTUBE8M_2018, competition=None),  # its videos are not the competition's
    members={
        "frame_logistic": Member("frame_logistic", epochs=10, learning_rate=1e-2),
        "dbof": Member("dbof", {"clusters": 2048, "hidden": 512, "draws": 30}, epochs=10, learning_rate=1e-3),
        "netvlad": Member("netvlad", {"clusters": 16, "hidden": 256}, epochs=10, learning_rate=5e-4),
    },
    ensembles={"blend": Ensemble(("frame_logistic", "dbof", "netvlad"))},
)
