"""NetVLAD as it was published: hyperparameters that differ from those of WILLOW's gated NetVLAD (2017).

A recipe adds sizes, as in {"clusters": 32, "hidden": 1024} | LIU. Parameter counts: tests/golden/sizes.csv.
"""

from typing import Any

# Miech, Laptev, Sivic, "Learnable pooling with context gating" (2017): no cluster centres.
NETRVLAD: dict[str, Any] = {"residual": False}

# Liu and Liu, "Constrained-size TensorFlow models for YouTube-8M" (2018): BN and relu6 after the first of two
# hidden layers, no input BatchNorm.
LIU: dict[str, Any] = {"mixtures": 5, "input_norm": False, "relu": True, "widen": 2}

# Tang et al., "Non-local NetVLAD encoding for video classification" (2018): late-fused NetVLAD, late-fused
# NetRVLAD and early-fused NetVLAD. The code of the last two projects g with phi's matrix.
NON_LOCAL: dict[str, Any] = {"mixtures": 8, "non_local": "clusters", "temperature": 1 / 64}
NON_LOCAL_NETRVLAD: dict[str, Any] = {
    "mixtures": 4, "residual": False, "non_local": "half", "tie_g_to_phi": True,
}  # fmt: skip
NON_LOCAL_EARLY: dict[str, Any] = {
    "mixtures": 2, "fusion": "early", "non_local": "clusters", "tie_g_to_phi": True,
}  # fmt: skip

# Lin, Xiao, Fan, "NeXtVLAD" (2018): the NetVLAD baselines on frames with whitening reversed; the small one
# first reduces features to a quarter.
WHITENING_REVERSED: dict[str, Any] = {
    "normalization": "whitening", "input_norm": False, "draws": None,
    "dropout": 0.5, "mixtures": None, "probability_gate": False,
}  # fmt: skip
SMALL: dict[str, Any] = WHITENING_REVERSED | {"reduction": 4}
