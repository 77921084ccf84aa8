"""Each family at the single-model setting that its authors published.

Known: sizes, exact to the parameter where a count is given; training settings as far as the sources describe
them (the starter code of 2018, WILLOW's 2017 code, the NeXtVLAD paper). Our choice: WILLOW's checkpoints are
averaged over the last seventh of their steps.

Command: make submission RECIPE=baselines ENSEMBLE=willow
"""

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.models.variants.netvlad import NETRVLAD
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe

STARTER = {"batch_size": 1024, "epochs": 5, "learning_rate": 1e-2, "decay": 0.95}
STEADY = {"checkpoint_steps": 10_000}

RECIPE = Recipe(
    name="baselines",
    description="every family at its published single-model setting",
    dataset=YOUTUBE8M_2018,
    members={
        "frame_logistic": Member("frame_logistic", published_parameters=4_452_886, **STARTER),
        "video_logistic": Member("video_level", {"mixtures": None}, **STARTER),
        "video_moe": Member("video_level", {"mixtures": 2}, **STARTER),
        "dbof": Member(
            "dbof", {"clusters": 8192, "hidden": 1024, "draws": 30},
            published_parameters=37_648_428, **STARTER,
        ),
        "lstm": Member(
            "lstm", {"units": 1024, "layers": 2, "state": "top"}, published_parameters=37_090_860,
            **STARTER | {"batch_size": 128, "learning_rate": 1e-3},
        ),
        "netvlad": Member(
            "netvlad", {"clusters": 256, "hidden": 1024}, batch_size=80, steps=700_000,
            average=Range(600_000, 700_000), published_parameters=321_541_224, **STEADY,
        ),
        "netrvlad": Member(
            "netvlad", {"clusters": 256, "hidden": 1024} | NETRVLAD, batch_size=80,
            steps=600_000, average=Range(500_000, 600_000), published_parameters=321_262_696, **STEADY,
        ),
        "netfv": Member(
            "netfv", {"clusters": 128, "hidden": 1024}, batch_size=80, steps=600_000,
            average=Range(500_000, 600_000), published_parameters=321_401_192, **STEADY,
        ),
        "soft_bof": Member(
            "soft_bof", {"clusters": 8000, "hidden": 1024}, batch_size=80, steps=800_000, decay=0.95,
            average=Range(700_000, 800_000), published_parameters=37_358_796, **STEADY,
        ),
        "gated_dbof": Member(
            "gated_dbof", {"clusters": 4096, "hidden": 1024}, batch_size=80, steps=1_000_000,
            decay=0.95, average=Range(900_000, 1_000_000), published_parameters=37_188_652, **STEADY,
        ),
        "willow_lstm": Member(
            "lstm", {"units": 1024, "layers": 2, "state": "all", "draws": 150}, batch_size=128,
            steps=400_000, average=Range(350_000, 400_000), **STEADY,
        ),
        "willow_gru": Member(
            "gru", {"units": 1200, "layers": 2, "state": "all"}, batch_size=128, steps=300_000,
            decay=0.9, average=Range(250_000, 300_000), published_parameters=63_466_124, **STEADY,
        ),
        "nextvlad": Member(
            "nextvlad", {"groups": 8, "clusters": 128, "hidden": 2048, "reduction": 8}, batch_size=160,
            steps=120_000, decay_examples=2_000_000, loss_epsilon=1e-8,
            published_parameters=88_970_274, **STEADY,
        ),
        "hg_nl": Member("hg_nl", {}, batch_size=160, epochs=5),
        "tsn": Member("tsn", {}, batch_size=160, epochs=5),
        "stnet": Member("stnet", {}, batch_size=160, epochs=5),
    },
    ensembles={
        # Six of WILLOW's seven models of 2017 exceed the limit as 8-bit codes; without the LSTM they fit.
        "willow": Ensemble(("netvlad", "netrvlad", "netfv", "soft_bof", "willow_gru"))
    },
)  # fmt: skip
