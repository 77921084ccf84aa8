"""Every family on AudioSet's clips, small: for what codecs cost and for blending many members.

Command: YT8M_RECIPES=benchmarks/recipes make results RECIPE=families DATA=FOLDER_OF_RECORDS
"""

from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.spec import AUDIOSET

FAST = {"epochs": 10, "learning_rate": 1e-3}
SLOW = {"epochs": 10, "learning_rate": 4e-4}

MEMBERS = {
    "frame_logistic": Member("frame_logistic", epochs=10, learning_rate=1e-2),
    "video_level": Member("video_level", {"mixtures": 2}, **FAST),
    "dbof": Member("dbof", {"clusters": 2048, "hidden": 512, "draws": 30}, **FAST),
    "gated_dbof": Member("gated_dbof", {"clusters": 1024, "hidden": 512, "draws": 30}, **FAST),
    "soft_bof": Member("soft_bof", {"clusters": 1024, "hidden": 512, "draws": 30}, **FAST),
    "netvlad": Member("netvlad", {"clusters": 32, "hidden": 512, "draws": 30}, **SLOW),
    "netfv": Member("netfv", {"clusters": 16, "hidden": 512, "draws": 30}, **SLOW),
    "nextvlad": Member(
        "nextvlad",
        {"clusters": 32, "groups": 8, "hidden": 512, "reduction": 8},
        epochs=10,
        learning_rate=4e-4,
    ),
    "gru": Member("gru", {"units": 256, "layers": 2}, **FAST),
    "lstm": Member("lstm", {"units": 256, "layers": 2}, **FAST),
    "hg_nl": Member("hg_nl", {"mixtures": 2, "query_groups": 4, "value_groups": 4}, **FAST),
    "tsn": Member("tsn", {"hidden": 512, "prediction_segments": 10}, **FAST),
}

RECIPE = Recipe(
    name="families",
    description="every family on AudioSet's clips, small",
    dataset=AUDIOSET,
    members=MEMBERS,
    ensembles={
        "all": Ensemble(tuple(MEMBERS)),
        "within_5mb": Ensemble(tuple(MEMBERS), codec="int4_g128", limit=5_000_000, calibrated=True),
        "mixed_5mb": Ensemble(tuple(MEMBERS), codec="mixed", limit=5_000_000, calibrated=True),
    },
)
