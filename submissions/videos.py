"""Eight kinds of drawn clips, moving shapes with tones: from video files to predicted names in a few minutes.

The features are those of two small networks with random weights, so scores say nothing about either. Training
follows the chain of the iqiyi report: TSN, HG-NL from TSN's weights, StNet, their average. TSN's hidden layer
is as wide as a frame, so that its classifier fits HG-NL's.

Command: make videos-demo
"""

from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.recipe import Ensemble, Member, Recipe

WIDTHS = {"rgb": 576, "audio": 128}  # of MobileNetV3Small and VGGish
CLIPS = Dataset("videos", tuple(WIDTHS.items()), classes=8, max_frames=4, single_label=True)
SEGMENTS = {"segments": 3, "prediction_segments": 4}
TRAINING: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 16, "loss_epsilon": 1e-8}

RECIPE = Recipe(
    name="videos",
    description="drawn clips, from video files to names",
    dataset=CLIPS,
    members={
        "tsn": Member(
            "tsn", {"hidden": sum(WIDTHS.values()), **SEGMENTS}, epochs=30, steps_down=(20, 25), **TRAINING
        ),
        "hg_nl": Member(
            "hg_nl",
            {"query_groups": 8, "mixtures": None, **SEGMENTS},
            epochs=16,
            steps_down=(8, 12),
            initial="tsn",
            **TRAINING,
        ),
        "stnet": Member(
            "stnet", {"segments": 4, "width": 256}, epochs=30, schedule="cosine", warm_up=1, **TRAINING
        ),
    },
    ensembles={"all": Ensemble(("tsn", "hg_nl", "stnet"), weights=(1.0, 1.0, 1.0))},
)
