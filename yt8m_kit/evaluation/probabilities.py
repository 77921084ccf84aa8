"""Probabilities that evaluation has kept, read without a framework."""

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.output.arrays import read_arrays
from yt8m_kit.pipeline.job import verified
from yt8m_kit.pipeline.stages import Stages


def read_probabilities(
    stages: Stages, name: str, split: str
) -> tuple[NDArray[np.str_], NDArray[np.float32], NDArray[np.bool_]]:
    """Ids (N,), probabilities and truth (N, C) of a member that was evaluated on a split.

    Raises UsageError if they are missing, KitError if they are damaged.
    """
    stage = stages.weight_scores(name, split)
    kept = dict(read_arrays(verified(stage, stage.run.probabilities(split)), f"Run: {stage.command} --anew"))
    truth = np.unpackbits(kept["truth"], axis=1, count=stages.recipe.dataset.classes).astype(bool)
    return kept["ids"], kept["probabilities"], truth
