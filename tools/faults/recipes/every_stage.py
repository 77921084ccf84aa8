"""Members of a few steps that take every stage through all of its branches, on the synthesized set."""

from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Ema, Ensemble, Member, Range, Recipe

RECIPE = Recipe(
    name="every_stage",
    description="for campaigns of kills and full disks",
    dataset=DEMO,
    members={
        "teacher": Member("frame_logistic", batch_size=16, steps=12, checkpoint_steps=3, learning_rate=1e-2),
        "ranged": Member(
            "netvlad",
            {"clusters": 4, "hidden": 8, "draws": 4},
            batch_size=16,
            steps=8,
            checkpoint_steps=2,
            statistics_batches=2,
            learning_rate=1e-3,
            validate_steps=4,
            keep_best=True,
            average=Range(2, 8, searched=2),
        ),
        "ema": Member(
            "frame_logistic",
            batch_size=16,
            steps=8,
            checkpoint_steps=2,
            learning_rate=1e-2,
            average=Ema(steps=8, gamma=1 / 8),
            keep_average="better",
        ),
        "student": Member("frame_logistic", batch_size=16, steps=8, checkpoint_steps=2, teacher="teacher"),
    },
    ensembles={
        "blend": Ensemble(
            ("ranged", "ema", "student"),
            weights=(1.0, 2.0, 1.0),
            codec="mixed",
            calibrated=True,
            rounds=2,
            limit=2_000_000,
        )
    },
)
