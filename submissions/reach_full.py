"""The best scores on all 22,160 balanced training clips of AudioSet, within 20 MB.

Two families of 2018, with mixup and the average of the second half's checkpoints as in submissions/reach.py,
and attention pooling (2019) at decision level and, with a softmax over frames, at feature level: another kind
of family is worth more to a blend than another member of the same (docs/decisions.md, 54).

Command: make results RECIPE=reach_full DATA=FOLDER_OF_RECORDS
"""

from yt8m_kit.dataset import AUDIOSET
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe

CLIPS = 22_160
VLAD = {"clusters": 32, "hidden": 512, "draws": 30}
MIXTURE = {"groups": 4, "clusters": 32, "hidden": 512, "reduction": 8, "branches": 4}
ATTENTION = {"batch_size": 256, "schedule": "cosine"}


def member(
    family: str,
    hyperparameters: dict,
    learning_rate: float,
    epochs: int = 40,
    batch_size: int = 128,
    **settings,
) -> Member:
    """Return a member trained under mixup, averaged over the second half."""
    epoch = -(-CLIPS // batch_size)
    return Member(
        family,
        hyperparameters,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        mixup=1.0,
        precision="mixed_bfloat16",
        checkpoint_steps=2 * epoch,
        average=Range(epochs // 2 * epoch, epochs * epoch),
        **settings,
    )


MEMBERS = {
    "nextvlad_mix4": member("nextvlad", MIXTURE, 3e-4, loss_epsilon=1e-8),
    "attention_decision": member("attention_pooling", {"level": "decision"}, 5e-4, **ATTENTION),
    "attention_softmax": member("attention_pooling", {"attention": "softmax"}, 1e-3, **ATTENTION),
    "netvlad": member("netvlad", VLAD, 2e-4),
}

RECIPE = Recipe(
    name="reach_full",
    description="all balanced AudioSet clips: mixture, NetVLAD and attention pooling",
    dataset=AUDIOSET,
    members=MEMBERS,
    ensembles={"within_20_mb": Ensemble(tuple(MEMBERS), limit=20_000_000)},
)
