"""PhoenixLin, third place of 2018: public 0.88794, private 0.88722 (Lin, Xiao, Fan, "NeXtVLAD", 2018).

Known: a gated mixture of three NeXtVLAD networks (8 groups, 112 clusters, 2048 hidden, SE reduction 16) that
distill each other while training at temperature 3 and weight 9, batch 160, 460,000 steps on the train and
validate splits, float32 (944.6 million bytes). Other checkpoints of it: 250k .88657 / .88583, 346k .88749 /
.88681, 647k .88792 / .88721. Open: the decay is 0.8 in the script and 0.9 in the paper (ours: the script's);
batch 160 was two towers of 80 whose gradients were averaged, with BatchNorm statistics a tower.

Our choice: train split only.

Command: make submission RECIPE=phoenixlin ENSEMBLE=submission
"""

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.recipe import Ensemble, Member, Recipe

NEXTVLAD = {"groups": 8, "clusters": 112, "hidden": 2048, "reduction": 16}
AS_PUBLISHED = {"batch_size": 160, "loss_epsilon": 1e-8, "checkpoint_steps": 5000}

RECIPE = Recipe(
    name="phoenixlin",
    description="third place: a mixture of three NeXtVLADs with on-the-fly distillation",
    dataset=YOUTUBE8M_2018,
    members={
        "single": Member(
            "nextvlad", NEXTVLAD, steps=460_000, decay_examples=2_500_000,
            published_parameters=78_714_274, **AS_PUBLISHED,
        ),
        "mix3": Member(
            "nextvlad", NEXTVLAD | {"branches": 3, "temperature": 3.0, "distillation_weight": 9.0},
            steps=460_000, decay_examples=2_500_000, published_parameters=236_150_889, **AS_PUBLISHED,
        ),
        "local8g": Member(
            "nextvlad", NEXTVLAD | {"clusters": 128, "reduction": 8}, steps=120_000,
            decay_examples=2_000_000, published_parameters=88_970_274, **AS_PUBLISHED,
        ),
    },
    ensembles={
        "submission": Ensemble(
            ("mix3",), weights=(1.0,), codec="float32",
            published_mib=900.8, published_public=0.88794, published_private=0.88722,
        ),
        "one_branch": Ensemble(
            ("single",), weights=(1.0,), codec="float32",
            published_public=0.87910, published_private=0.87846,
        ),
        "mix3_8bit": Ensemble(("mix3",), weights=(1.0,)),
    },
)  # fmt: skip
