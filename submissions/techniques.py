"""Ablation of training techniques on real records: AudioSet's clips, three seeds each.

The protocol of submissions/audioset.py with the gated NetVLAD, `plain`. `range` averages the checkpoints of
the last ten epochs; `ema` trains two more epochs at 8e-5 with an exponential moving average; `distilled`
learns half from an ensemble of three families, `two_level` from an ensemble with that student; `all_frames`
does not sample. rounds_5 and rounds_10 average 5 and 10 samplings of `plain` in the graph.

Command: make results RECIPE=techniques DATA=FOLDER_OF_RECORDS, then python -m benchmarks.training.techniques
"""

from yt8m_kit.dataset import AUDIOSET
from yt8m_kit.recipe import Ema, Ensemble, Member, Range, Recipe

SEEDS = (0, 1, 2)
EPOCH = 63  # steps of 128 clips
EPOCHS = 20


def netvlad(seed: int, draws: int | None = 30, **settings) -> Member:
    """Return the small gated NetVLAD of the protocol."""
    hyperparameters = {"clusters": 32, "hidden": 512, "draws": draws, "seed": seed}
    return Member("netvlad", hyperparameters, epochs=EPOCHS, seed=seed, **settings)


MEMBERS = {
    "video_moe": Member("video_level", epochs=EPOCHS, learning_rate=1e-2),
    "soft_bof": Member(
        "soft_bof", {"clusters": 1024, "hidden": 512, "draws": 30, "relu": True}, epochs=EPOCHS
    ),
}
ENSEMBLES = {}
for seed in SEEDS:
    MEMBERS |= {
        f"plain_{seed}": netvlad(seed),
        f"range_{seed}": netvlad(seed, checkpoint_steps=EPOCH, average=Range(10 * EPOCH, 20 * EPOCH)),
        f"ema_{seed}": netvlad(seed, average=Ema(epochs=2, gamma=1 / 50)),
        f"all_frames_{seed}": netvlad(seed, draws=None),
        f"distilled_{seed}": netvlad(seed, teacher=f"teacher_{seed}"),
        f"two_level_{seed}": netvlad(seed, teacher=f"second_teacher_{seed}"),
    }
    ENSEMBLES |= {
        f"teacher_{seed}": Ensemble((f"plain_{seed}", "soft_bof", "video_moe")),
        f"second_teacher_{seed}": Ensemble((f"distilled_{seed}", "soft_bof", "video_moe")),
        f"rounds_5_{seed}": Ensemble((f"plain_{seed}",), weights=(1.0,), rounds=5),
        f"rounds_10_{seed}": Ensemble((f"plain_{seed}",), weights=(1.0,), rounds=10),
    }

RECIPE = Recipe(
    name="techniques",
    description="what each training technique is worth on AudioSet, three seeds",
    dataset=AUDIOSET,
    members=MEMBERS,
    ensembles=ENSEMBLES,
)
