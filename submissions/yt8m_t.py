"""YT8M-T, fourth place of 2018: public 0.88763, private 0.88704 (Tang et al., "Non-local NetVLAD encoding for
video classification", 2018).

Known: six models with equal weights, every variable as bfloat16 (995 MiB), checkpoints averaged from about
step 300,000 to the last, ten samplings averaged in the graph. Validation GAP of the six alone .8703 .8687
.8674 .8525 .8512 .8568, averaged .8716 .8704 .8704 .8574 .8563 .8612, together .8842. In M2 and M3 their code
projects g with phi's matrix (tie_g_to_phi). Open: the MoE penalty (1e-8 in the scripts, 1e-6 in the averaging
script; ours: the scripts').

Command: make submission RECIPE=yt8m_t ENSEMBLE=six
"""

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.models.variants.netvlad import NON_LOCAL, NON_LOCAL_EARLY, NON_LOCAL_NETRVLAD
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe

STEPS = 700_000
VLAD = {"clusters": 64, "hidden": 1024, "moe_l2": 1e-8}
TRAINING = {"batch_size": 80, "checkpoint_steps": 10_000, "average": Range(300_000, STEPS), "steps": STEPS}

RECIPE = Recipe(
    name="yt8m_t",
    description="fourth place: non-local NetVLADs, soft bags of features and a GRU in bfloat16",
    dataset=YOUTUBE8M_2018,
    members={
        "M1": Member("netvlad", VLAD | NON_LOCAL, published_parameters=154_970_732, **TRAINING),
        "M2": Member("netvlad", VLAD | NON_LOCAL_NETRVLAD, published_parameters=125_099_540, **TRAINING),
        "M3": Member("netvlad", VLAD | NON_LOCAL_EARLY, published_parameters=111_710_056, **TRAINING),
        "M4": Member(
            "soft_bof", {"clusters": 4000}, decay=0.95, published_parameters=28_572_796, **TRAINING
        ),
        "M5": Member(
            "soft_bof", {"clusters": 8000}, decay=0.95, published_parameters=37_358_796, **TRAINING
        ),
        "M6": Member(
            "gru", {"units": 1200, "layers": 2, "state": "all", "mixtures": 2, "l2": 1e-8},
            decay=0.9, published_parameters=63_466_124,
            **TRAINING | {"batch_size": 128, "steps": 400_000, "average": Range(300_000, 400_000)},
        ),
    },
    ensembles={
        "six": Ensemble(
            ("M1", "M2", "M3", "M4", "M5", "M6"), weights=(1 / 6,) * 6, codec="bfloat16", rounds=10,
            published_mib=995, published_public=0.88763, published_private=0.88704,
        ),
        "two": Ensemble(
            ("M1", "M6"), weights=(0.5, 0.5), codec="bfloat16", rounds=10, published_public=0.8790
        ),
        # Ours: half and a quarter of the bytes.
        "six_8bit": Ensemble(("M1", "M2", "M3", "M4", "M5", "M6"), rounds=10, codec="int8_g128"),
        "six_4bit": Ensemble(
            ("M1", "M2", "M3", "M4", "M5", "M6"), rounds=10, codec="int4_g128", calibrated=True
        ),
    },
)  # fmt: skip
