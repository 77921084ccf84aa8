"""Real records that anyone can get: AudioSet's embeddings, 10 frames of 128 bytes, 527 labels.

The protocol by which older kits were measured on the same 8,000 training and 3,000 validation clips:
batch 128, 20 epochs, one small size per family, learning rates as given with it.

Command: make results RECIPE=audioset DATA=FOLDER_OF_RECORDS
"""

from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.spec import AUDIOSET

EPOCHS = 20

RECIPE = Recipe(
    name="audioset",
    description="AudioSet clips, one small size per family",
    dataset=AUDIOSET,
    members={
        "frame_logistic": Member("frame_logistic", epochs=EPOCHS, learning_rate=1e-2),
        "dbof": Member(
            "dbof", {"clusters": 2048, "hidden": 512, "draws": 30}, epochs=EPOCHS, learning_rate=1e-3
        ),
        "netvlad": Member("netvlad", {"clusters": 32, "hidden": 512, "draws": 30}, epochs=EPOCHS),
    },
    ensembles={"blend": Ensemble(("frame_logistic", "dbof", "netvlad"))},
)
