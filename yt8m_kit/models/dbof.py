"""Deep bag of frames (DBoF), the strongest baseline of the 2018 starter code.

Source: Abu-El-Haija et al., "YouTube-8M" (2016), section 4.1.2.
"""

from typing import Literal

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.heads.hidden import relu6
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.pooling.bof import DeepBag


def build(
    dataset: Dataset,
    *,
    clusters: Count = 8192,
    hidden: Count = 1024,
    mixtures: Count = 2,
    pooling: Literal["max", "mean"] = "max",
    draws: Count | None = 30,
    moe_l2: NonNegative = 1e-8,
    seed: Whole = 0,
) -> keras.Model:
    """Sampled frames -> clusters -> max (or mean) -> hidden -> mixture of experts.

    pooling: "max" or "mean". draws: frames sampled, None for all. moe_l2: L2 penalty of the experts.
    Raises UsageError for mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, ordered=False, name="sample")(**inputs)
    frames = InputNorm(name="input_norm")(UnitFrames()(frames))
    vector = relu6(DeepBag(clusters, pooling, name="bag")(frames), hidden, clusters, "hidden")
    probabilities = classifier(vector, dataset, mixtures, moe_l2)
    return keras.Model(inputs, probabilities, name="dbof")
