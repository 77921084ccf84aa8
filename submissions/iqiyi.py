"""iqiyi's video models on frame features: segment consensus, non-local aggregation, StNet's temporal block.

TSN averages the logits of segments; NL and HG-NL (hierarchical group-wise non-local) are self-attention over
frames; StNet applies a temporal Xception block to segments.

Known: the blocks (Table 1: 148,736 parameters of an HG-NL block on 1024 channels, 17,552 with weights shared
across groups), segments (3 in training, 25 at prediction; StNet 7). Open: all else, as the source applies
them to image features of short videos.

Our choice: classifiers, sizes and training on YouTube-8M's features; no published scores are comparable. The
report's own task and training: kinetics.py.

Command: make results RECIPE=iqiyi
"""

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.recipe import Ensemble, Member, Recipe

TRAINING = {"batch_size": 160, "epochs": 5}

RECIPE = Recipe(
    name="iqiyi",
    description="segment consensus, group-wise non-local blocks and StNet on frame features",
    dataset=YOUTUBE8M_2018,
    members={
        "tsn": Member("tsn", {"segments": 3, "prediction_segments": 25}, **TRAINING),
        "nl": Member("hg_nl", {"grouped": False}, **TRAINING),
        "hg_nl": Member("hg_nl", {}, **TRAINING),
        "hg_nl_shared": Member("hg_nl", {"shared": True}, **TRAINING),
        "stnet": Member("stnet", {"segments": 7}, **TRAINING),
        "stnet_temporal": Member("stnet", {"segments": 7, "residual": True}, **TRAINING),
    },
    ensembles={"all": Ensemble(("tsn", "hg_nl", "hg_nl_shared", "stnet_temporal"))},
)
