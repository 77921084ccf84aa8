"""Liu & Liu, tenth place of 2018: public 0.8839, private 0.88324.

"Constrained-size TensorFlow models for YouTube-8M video understanding challenge", 2018.

Known: 18 gated NetVLADs on a grid of clusters and hidden units (without input BatchNorm, relu6 after the
hidden layer, a second one of twice the width, five mixtures); rate 1e-4, decay 0.8 per 4 million examples,
about 200,000 steps; the mean of a range of checkpoints, several ranges tried; four kernels as float16; four
models blended with 0.39, 0.26, 0.21, 0.14. Scores and MiB of the ensembles are their Table 2, MiB of the
members their Table 1. Open: the ranges (ours: the last quarter), the batch of each model between 80 and 160
(ours: 160). B is in their ensemble GFAB but not in Table 1: its size fits 32 clusters and 400 hidden units.

Command: make submission RECIPE=liu ENSEMBLE=YHLS
"""

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.models.variants.netvlad import LIU
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe

STEPS = 200_000

# name: clusters, hidden, parameters, MiB as float32, MiB with four kernels as float16
TABLE_1 = {
    "Y": (24, 1440, 187_413_370, 714.93, 381.40),
    "G": (32, 1280, 178_186_346, 679.73, 358.85),
    "F": (100, 800, 174_030_402, 663.87, 339.76),
    "X": (16, 1280, 155_869_194, 594.59, 316.21),
    "H": (32, 1024, 143_980_138, 549.24, 286.85),
    "K": (20, 960, 122_991_522, 469.18, 245.31),
    "L": (16, 800, 100_733_514, 384.27, 199.61),
    "J": (64, 512, 95_822_634, 365.53, 186.11),
    "A": (100, 400, 93_639_202, 357.21, 180.93),
    "N": (32, 600, 89_056_026, 339.72, 174.20),
    "S": (32, 512, 77_927_018, 297.27, 151.85),
    "O": (16, 512, 68_979_210, 263.13, 134.71),
    "T": (8, 512, 64_505_306, 246.07, 126.15),
    "Q": (16, 400, 56_899_114, 217.05, 110.50),
    "E": (10, 400, 54_274_822, 207.04, 105.47),
    "R": (32, 256, 46_080_106, 175.78, 88.85),
    "M": (10, 300, 44_269_022, 168.87, 85.58),
    "P": (16, 256, 41_588_746, 158.65, 80.21),
}


def member(clusters: int, hidden: int, parameters: int | None = None, **published_mib: float) -> Member:
    """Return a model of the grid."""
    return Member(
        "netvlad",
        {"clusters": clusters, "hidden": hidden} | LIU,
        batch_size=160, steps=STEPS, learning_rate=1e-4, checkpoint_steps=5000,
        average=Range(STEPS * 3 // 4, STEPS),
        published_parameters=parameters, published_mib=published_mib,
    )  # fmt: skip


def ensemble(names: str, mib: float, public: float, private: float, weights=None) -> Ensemble:
    """Return a row of Table 2; only the weights of the submitted one are known."""
    return Ensemble(
        tuple(names), weights, "float16_four",
        published_mib=mib, published_public=public, published_private=private,
    )  # fmt: skip


RECIPE = Recipe(
    name="liu",
    description="tenth place: a grid of gated NetVLADs in float16, averaged over checkpoints",
    dataset=YOUTUBE8M_2018,
    members={
        name: member(clusters, hidden, parameters, float32=full, float16_four=half)
        for name, (clusters, hidden, parameters, full, half) in TABLE_1.items()
    }
    | {"B": member(32, 400)},
    ensembles={
        "YHLS": ensemble("YHLS", 1019.7, 0.8839, 0.88324, (0.39, 0.26, 0.21, 0.14)),
        "GHLS": ensemble("GHLS", 997.2, 0.8838, 0.8832),
        "GHLRP": ensemble("GHLRP", 1015.0, 0.8832, 0.8825),
        "FJSOQR": ensemble("FJSOQR", 1012.5, 0.8828, 0.8822),
        "GFAB": ensemble("GFAB", 1004.0, 0.8826, 0.8821),
        # Ours: all eighteen fit as 4-bit codes, with bytes left for more accurate formats; as 8-bit codes,
        # members are selected by validation GAP@20.
        "eighteen": Ensemble(tuple(TABLE_1), codec="mixed", calibrated=True),
        "best_8bit": Ensemble(tuple(TABLE_1), codec="int8_g128"),
    },
)
