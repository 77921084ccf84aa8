"""Members small enough to train in a test, on the synthesized set."""

from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Ema, Ensemble, Member, Range, Recipe

NETVLAD = {"clusters": 4, "hidden": 8, "draws": 8}

RECIPE = Recipe(
    name="tiny",
    description="for tests",
    dataset=DEMO,
    members={
        "logistic": Member("frame_logistic", batch_size=16, steps=20, learning_rate=1e-2),
        "netvlad": Member(
            "netvlad", NETVLAD, batch_size=16, steps=30, checkpoint_steps=5, average=Range(10, 30),
            statistics_batches=4, learning_rate=1e-3,
        ),
        "student": Member("frame_logistic", batch_size=16, steps=20, teacher="logistic", teacher_weight=0.5),
        "validated": Member(
            "netvlad",
            NETVLAD,
            batch_size=16,
            steps=400,
            checkpoint_steps=20,
            statistics_batches=4,
            learning_rate=0.05,
            validate_steps=10,
            patience=30,
            keep_best=True,
            average=Range(0, 400, searched=3),
            keep_average="better",
        ),
        "ema": Member(
            "netvlad",
            NETVLAD,
            batch_size=16,
            steps=30,
            checkpoint_steps=10,
            statistics_batches=4,
            average=Ema(steps=200, gamma=1 / 20),
        ),
        "varied": Member(
            "netvlad", NETVLAD, batch_size=16, accumulate=2, steps=200, checkpoint_steps=10,
            statistics_batches=4, mixup=0.4, teacher="logistic", average=Ema(steps=200, gamma=1 / 20),
        ),
        "long": Member(
            "netvlad", NETVLAD, batch_size=16, steps=400, checkpoint_steps=10, statistics_batches=4
        ),
        "paired": Member(
            "netvlad", NETVLAD, batch_size=16, steps=120, checkpoint_steps=10, statistics_batches=4
        ),
        "runaway": Member(
            "frame_logistic", batch_size=16, steps=200, learning_rate=1e38, checkpoint_steps=10
        ),
    },
    ensembles={
        "blend": Ensemble(("logistic", "netvlad"), rounds=2),
        "exact": Ensemble(("logistic", "netvlad"), weights=(1.0, 3.0), codec="float32"),
        "one_left_out": Ensemble(("logistic", "netvlad"), weights=(1.0, 0.0)),
        "small": Ensemble(("logistic", "netvlad"), codec="int4_g128", rounds=2, limit=1_000_000),
        "tight": Ensemble(("logistic", "netvlad"), weights=(1.0, 1.0), limit=150_000),
        "mixed": Ensemble(("logistic", "netvlad"), weights=(1.0, 1.0), codec="mixed"),
        "calibrated": Ensemble(("netvlad",), codec="int4_g128", calibrated=True),
        "logistic_4bit": Ensemble(("logistic",), codec="int4"),
    },
)  # fmt: skip
