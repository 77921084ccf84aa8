"""Deep bag of frames (DBoF), the strongest baseline of the 2018 starter code.

Source: Abu-El-Haija et al., "YouTube-8M" (2016), section 4.1.2.
"""

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.layers.heads.experts import MixtureOfExperts
from yt8m_kit.layers.heads.hidden import relu6
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.pooling.bof import DeepBag


def build(
    dataset: Dataset,
    *,
    clusters: int = 8192,
    hidden: int = 1024,
    mixtures: int = 2,
    pooling: str = "max",
    draws: int | None = 30,
    moe_l2: float = 1e-8,
    seed: int = 0,
) -> keras.Model:
    """Sampled frames -> clusters -> max (or mean) -> hidden -> mixture of experts.

    pooling: "max" or "mean". draws: frames sampled, None for all. moe_l2: L2 penalty of the experts.
    Raises UsageError for an unknown pooling, mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, ordered=False, name="sample")(**inputs)
    frames = InputNorm(name="input_norm")(UnitFrames()(frames))
    vector = relu6(DeepBag(clusters, pooling, name="bag")(frames), hidden, clusters, "hidden")
    probabilities = MixtureOfExperts(dataset.classes, mixtures, l2=moe_l2, name="experts")(vector)
    return keras.Model(inputs, probabilities, name="dbof")
