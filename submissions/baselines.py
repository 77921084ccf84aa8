"""Each family at the single-model setting its authors published.

Sizes are theirs, to the parameter; training settings as far as the sources give them. NetRVLAD is
NetVLAD without centres (residual=False).
"""

from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.spec import YOUTUBE8M_2018

RECIPE = Recipe(
    name="baselines",
    description="single models at their published sizes",
    dataset=YOUTUBE8M_2018,
    members={
        # google starter, version 2018
        "frame_logistic": Member(
            "frame_logistic", batch_size=1024, epochs=5, learning_rate=1e-2, decay=0.95,
            published_parameters=4_452_886,
        ),
        "dbof": Member(
            "dbof", {"clusters": 8192, "hidden": 1024, "draws": 30}, batch_size=1024, epochs=5,
            learning_rate=1e-2, decay=0.95, published_parameters=37_648_428,
        ),
        # WILLOW, first place of 2017
        "netrvlad": Member(
            "netvlad", {"clusters": 256, "hidden": 1024, "residual": False}, batch_size=80,
            steps=600_000, average=(500_000, 600_000), checkpoint_steps=10_000,
            published_parameters=321_262_696,
        ),
        "netvlad": Member(
            "netvlad", {"clusters": 256, "hidden": 1024}, batch_size=80, steps=700_000,
            average=(600_000, 700_000), checkpoint_steps=10_000, published_parameters=321_541_224,
        ),
    },
    ensembles={"vlads": Ensemble(("netvlad", "netrvlad"))},
)  # fmt: skip
