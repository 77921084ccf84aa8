"""Members of a single-label data set, small enough to train in a test: softmax heads of every kind."""

from dataclasses import replace
from typing import Any

from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Ema, Ensemble, Member, Recipe

TRAINING: dict[str, Any] = {"batch_size": 16, "steps": 40, "learning_rate": 5e-3, "statistics_batches": 4}

RECIPE = Recipe(
    name="single",
    description="for tests of single-label tasks",
    dataset=replace(DEMO, name="single", classes=12, single_label=True),
    members={
        "logistic": Member("frame_logistic", **TRAINING, label_smoothing=0.1),
        "moe": Member("video_level", **TRAINING),
        "mixed": Member("nextvlad", {"clusters": 4, "groups": 4, "hidden": 8, "reduction": 2, "branches": 2},
                        **TRAINING, mixup=0.2),
        "student": Member("netvlad", {"clusters": 4, "hidden": 16, "draws": 8}, **TRAINING, teacher="blend",
                          average=Ema(steps=10, gamma=1 / 4)),
    },
    ensembles={
        "blend": Ensemble(("logistic", "moe")),
        "all": Ensemble(("mixed", "student"), (1.0, 2.0)),
    },
)  # fmt: skip
