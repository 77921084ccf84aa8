"""The full set of 3862 labels on a small machine: real labels, frames generated around real scene means.

Every family at a small size, on videos of 120 to 360 frames of 1152 bytes. 5 epochs, 20 for recurrent
families with 30 sampled frames; matrix products are in bfloat16.

Command: make results RECIPE=expanded DATA=FOLDER_OF_RECORDS
"""

from dataclasses import replace

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.recipe import Ensemble, Member, Recipe

VLAD = {"hidden": 256, "draws": 60}
RECURRENT = {"units": 256, "layers": 1, "state": "all", "draws": 30}


def member(family: str, learning_rate: float = 5e-4, epochs: float = 5, **hyperparameters) -> Member:
    """Return a family at its small size."""
    return Member(
        family, hyperparameters, epochs=epochs, learning_rate=learning_rate, precision="mixed_bfloat16"
    )


MEMBERS = {
    "frame_logistic": member("frame_logistic", 1e-2),
    "video_moe": member("video_level", 1e-2),
    "dbof": member("dbof", 1e-3, clusters=2048, hidden=512, draws=30),
    "soft_bof": member("soft_bof", clusters=512, hidden=256, draws=60, relu=True),
    "gated_dbof": member("gated_dbof", clusters=512, hidden=256, draws=60, relu=True),
    "netvlad": member("netvlad", clusters=16, **VLAD),
    "netfv": member("netfv", clusters=8, **VLAD),
    "nextvlad": member("nextvlad", groups=8, clusters=32, hidden=512),
    "gru": member("gru", 1e-3, epochs=20, **RECURRENT),
    "lstm": member("lstm", 1e-3, epochs=20, **RECURRENT),
    "tsn": member("tsn", hidden=1024, segments=3, prediction_segments=10),
    "hg_nl": member("hg_nl", draws=60),
    "stnet": member("stnet", width=512, segments=7),
}

RECIPE = Recipe(
    name="expanded",
    description="YouTube-8M's features and labels on 9,000 expanded videos, small sizes",
    dataset=replace(YOUTUBE8M_2018, competition=None),  # its videos are not the competition's
    members=MEMBERS,
    ensembles={"blend": Ensemble(("frame_logistic", "dbof", "netvlad"))},
)
