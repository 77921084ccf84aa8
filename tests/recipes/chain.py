"""The chain of the iqiyi report in small: HG-NL starts from TSN, StNet from HG-NL."""

from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.recipe import Ensemble, Member, Recipe

SEGMENTS = {"segments": 3, "prediction_segments": 25}
HG_NL = {"reduction": 4, "query_groups": 4, "value_groups": 2, "mixtures": None, **SEGMENTS}
TRAINING: dict[str, Any] = {
    **{"batch_size": 16, "learning_rate": 1e-2, "statistics_batches": 4, "checkpoint_steps": 5},
    "loss_epsilon": 1e-8,
}

RECIPE = Recipe(
    name="chain",
    description="for tests of initial weights",
    dataset=Dataset(
        "chain", (("rgb", 24), ("audio", 8)), classes=8, max_frames=32, single_label=True
    ),
    members={
        "tsn": Member("tsn", {"hidden": 32, **SEGMENTS}, epochs=4, steps_down=(2, 3), **TRAINING),
        "hg_nl": Member("hg_nl", HG_NL, epochs=8, steps_down=(4, 6), initial="tsn", **TRAINING),
        "stnet": Member("stnet", {"width": 32}, steps=20, schedule="cosine", warm_up=0.5, initial="hg_nl",
                        **TRAINING),
        "unlike": Member("hg_nl", HG_NL | {"mixtures": 2}, steps=1, initial="tsn", **TRAINING),
        "long": Member("hg_nl", HG_NL, steps=400, initial="tsn", **TRAINING),
    },
    ensembles={"both": Ensemble(("hg_nl", "stnet"))},
)  # fmt: skip
