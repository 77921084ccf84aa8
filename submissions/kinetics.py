"""The iqiyi entry to ActivityNet 2019 (Kinetics-700) on frame features: one action a clip, trained by epochs.

Known: softmax over 700 classes; TSN with 3 segments in training and 25 at prediction, 40 epochs at learning
rate 1e-3, divided by ten at 20 and 30; HG-NL fine-tuned from TSN for 8 epochs at 1e-3, divided at 4 and 6;
StNet with 7 segments, 20 epochs; the blocks' sizes (Table 1: 148,736 parameters of an HG-NL block on 1024
channels); ranking by the mean of top-1 and top-5 errors; a JSON file with `results`, `version` and
`external_data`, whose results have labels and scores of each clip (the evaluation code of ActivityNet). Open:
batch size, StNet's learning rate, weights of the blend, and the fields' content beyond that.

Our choice: the records, 1024 bytes a frame of an image network that is not trained here, and ten frames a
second of a clip of ten seconds; the classifiers; a cosine for StNet. The report's HG-NL shares its image
network with TSN. On frame features TSN has a hidden layer and a classifier after it, HG-NL a block before its
own: at any size they share no weight but the classifier's, and that one is of another layer's output. Started
from it, HG-NL has a larger error (docs/decisions.md, 51), so no member has `initial` here; for weights of
Kinetics-600, with another head, write initial="kinetics600/tsn".

Command: make results RECIPE=kinetics
"""

import json
from collections.abc import Mapping
from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.recipe import Ensemble, Member, Recipe, Submission

KINETICS = Dataset("kinetics-700", (("rgb", 1024),), classes=700, max_frames=100, single_label=True)
SEGMENTS = {"segments": 3, "prediction_segments": 25}
TRAINING: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 128, "loss_epsilon": 1e-8}
FINE_TUNED: dict[str, Any] = TRAINING | {"epochs": 8, "steps_down": (4, 6)}
HG_NL = SEGMENTS | {"mixtures": None}


def top_five(ids: list[str], labels: Any, confidences: Any, names: Mapping[int, str]) -> str:
    """Format the five best classes of each clip as JSON; names of all classes are in vocabulary.csv."""
    best = zip(ids, labels[:, :5].tolist(), confidences[:, :5].tolist())
    results = {
        clip: [{"label": names[label], "score": round(score, 6)} for label, score in zip(*pairs)]
        for clip, *pairs in best
    }
    return json.dumps({"version": "KINETICS VERSION 1.0", "results": results, "external_data": {}})


RECIPE = Recipe(
    name="kinetics",
    description="iqiyi's families on a single-label data set, trained as they report, top five as JSON",
    dataset=KINETICS,
    members={
        "tsn": Member("tsn", {"hidden": 2048, **SEGMENTS}, epochs=40, steps_down=(20, 30), **TRAINING),
        "nl": Member("hg_nl", HG_NL | {"grouped": False}, **FINE_TUNED),
        "hg_nl": Member("hg_nl", HG_NL, **FINE_TUNED),
        "hg_nl_shared": Member("hg_nl", HG_NL | {"shared": True}, **FINE_TUNED),
        "stnet": Member(
            "stnet",
            {"segments": 7, "residual": True},
            epochs=20,
            schedule="cosine",
            warm_up=1,
            **TRAINING,
        ),
    },
    ensembles={"all": Ensemble(("tsn", "hg_nl", "hg_nl_shared", "stnet"))},
    submission=Submission(".json", top_five),
)
