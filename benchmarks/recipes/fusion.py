"""Gated fusion of two features against their concatenation, at equal bytes, on real video-level records.

Every video is one frame, the means of its visual and audio features, so pooling does nothing here and the
fusion is what differs. Three seeds of each.

Command: YT8M_RECIPES=benchmarks/recipes yt8m run fusion --to=evaluate --data=FOLDER_OF_VIDEO_LEVEL_RECORDS
"""

from dataclasses import replace

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.recipe import Member, Recipe

EPOCHS = 12
WAYS: dict[str, dict] = {"early": {"hidden": 512}, "gated": {"hidden": 448, "fusion": "gated"}}


def member(seed: int, **hyperparameters) -> Member:
    """Return a member of two hidden layers."""
    return Member(
        "attention_pooling",
        {"layers": 2, "dropout": 0.3, "seed": seed, **hyperparameters},
        epochs=EPOCHS,
        learning_rate=1e-3,
        schedule="cosine",
        seed=seed,
    )


RECIPE = Recipe(
    name="fusion",
    description="gated fusion of features against concatenation",
    dataset=replace(YOUTUBE8M_2018, max_frames=1),
    members={f"{way}_{seed}": member(seed, **given) for way, given in WAYS.items() for seed in (0, 1, 2)},
)
