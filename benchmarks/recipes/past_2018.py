"""Families past 2018 against the best of 2018 at equal bytes, on the clips of submissions/audioset.py.

Each member takes 3.9 to 4.2 MB as 8-bit codes. Four variants of each: with and without mixup (which pays from
60 epochs on), and in learning rate, dropout or shape. The variant of each family is chosen on a quarter of
the train split; three seeds of it are then trained on the whole and scored on the validation split.

Command: python -m benchmarks.training.past_2018 --data=FOLDER_OF_RECORDS
"""

from yt8m_kit.dataset import AUDIOSET
from yt8m_kit.recipe import Member, Range, Recipe

EPOCH = 63  # steps of 128 clips
EPOCHS = 60
VLAD = {"clusters": 32, "hidden": 512, "draws": 30}
FISHER = {"clusters": 16, "hidden": 512, "draws": 30}
MIXTURE = {"groups": 4, "clusters": 32, "hidden": 464, "reduction": 8, "branches": 3}
FEATURE = {"hidden": 920}
FEATURE_EXPERTS = {"hidden": 784, "layers": 2, "mixtures": 2}
DECISION = {"level": "decision", "hidden": 1152}


def plain(family: str, hyperparameters: dict, learning_rate: float, **settings) -> Member:
    """Return a member of 20 epochs."""
    return Member(family, hyperparameters, epochs=EPOCHS // 3, learning_rate=learning_rate, **settings)


def mixed(family: str, hyperparameters: dict, learning_rate: float, **settings) -> Member:
    """Return a member of 60 epochs under mixup, averaged over the second half."""
    average = Range(EPOCHS // 2 * EPOCH, EPOCHS * EPOCH)
    return Member(
        family,
        hyperparameters,
        epochs=EPOCHS,
        learning_rate=learning_rate,
        mixup=1.0,
        checkpoint_steps=5 * EPOCH,
        average=average,
        **settings,
    )


def four(family: str, hyperparameters: dict, learning_rate: float, **settings) -> dict[str, Member]:
    """Return a family of 2018 with and without mixup, at two learning rates."""
    return {
        "plain": plain(family, hyperparameters, learning_rate, **settings),
        "plain_fast": plain(family, hyperparameters, 2 * learning_rate, **settings),
        "mixed": mixed(family, hyperparameters, learning_rate, **settings),
        "mixed_fast": mixed(family, hyperparameters, 2 * learning_rate, **settings),
    }


VARIANTS = {
    "netvlad": four("netvlad", VLAD, 2e-4),
    "netfv": four("netfv", FISHER, 2e-4),
    "nextvlad_mix3": four("nextvlad", MIXTURE, 3e-4, loss_epsilon=1e-8),
    "attention_feature": {
        "plain": plain("attention_pooling", FEATURE, 1e-3),
        "mixed": mixed("attention_pooling", FEATURE, 1e-3),
        "mixed_slow": mixed("attention_pooling", FEATURE, 3e-4),
        "mixed_experts": mixed("attention_pooling", FEATURE_EXPERTS, 1e-3),
    },
    "attention_decision": {
        "plain": plain("attention_pooling", DECISION, 1e-3),
        "mixed": mixed("attention_pooling", DECISION, 1e-3),
        "mixed_slow": mixed("attention_pooling", DECISION, 3e-4),
        "mixed_dropout": mixed("attention_pooling", DECISION | {"dropout": 0.2}, 1e-3),
    },
}

RECIPE = Recipe(
    name="past_2018",
    description="families past 2018 against those of 2018 at equal bytes",
    dataset=AUDIOSET,
    members={
        f"{family}-{variant}": member
        for family, variants in VARIANTS.items()
        for variant, member in variants.items()
    },
)
