"""Members of several families, batches and ways of training, to be trained from one read."""

from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Member, Range, Recipe

NETVLAD = {"clusters": 4, "hidden": 8, "draws": 8}

RECIPE = Recipe(
    name="together",
    description="for tests",
    dataset=DEMO,
    members={
        "plain": Member("frame_logistic", batch_size=16, steps=40, learning_rate=1e-2, statistics_batches=4),
        "double": Member(
            "netvlad", NETVLAD, batch_size=32, epochs=15, checkpoint_steps=5, average=Range(10, 30),
            statistics_batches=4, learning_rate=1e-3,
        ),
        "mixed": Member(
            "video_level", batch_size=64, accumulate=2, steps=12, mixup=0.4, statistics_batches=4
        ),
        "validated": Member(
            "netvlad", NETVLAD, batch_size=16, steps=400, checkpoint_steps=20, statistics_batches=4,
            learning_rate=0.05, validate_steps=10, patience=30, keep_best=True,
        ),
        "student": Member("frame_logistic", batch_size=32, steps=20, teacher="plain", statistics_batches=4),
        "long": Member(
            "netvlad", NETVLAD, batch_size=16, steps=400, checkpoint_steps=10, statistics_batches=4
        ),
        "longer": Member(
            "gated_dbof", {"clusters": 16, "hidden": 8, "draws": 8}, batch_size=32, steps=300,
            checkpoint_steps=7, statistics_batches=4,
        ),
        "runaway": Member(
            "frame_logistic", batch_size=16, steps=200, learning_rate=1e38, checkpoint_steps=10
        ),
        "other_order": Member("frame_logistic", batch_size=16, steps=20, seed=1),
        "odd": Member("frame_logistic", batch_size=24, steps=20),
    },
)  # fmt: skip
