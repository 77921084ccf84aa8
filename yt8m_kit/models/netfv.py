"""NetFV, a learnable Fisher vector: WILLOW's, and the "FVNet" of first place.

Source: Miech, Laptev, Sivic, "Learnable pooling with context gating" (2017).
"""

from typing import Annotated

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, Interval, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.heads.gating import ContextGate
from yt8m_kit.layers.heads.hidden import fuse, linear
from yt8m_kit.layers.inputs.frames import split, video_inputs, widths_of
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.pooling.fisher import FisherVector


def build(
    dataset: Dataset,
    *,
    clusters: Annotated[int, Interval(2)] = 128,
    hidden: Count = 1024,
    mixtures: Count = 2,
    coupled: bool = False,
    probability_gate: bool = True,
    draws: Count | None = 300,
    moe_l2: NonNegative = 1e-6,
    seed: Whole = 0,
) -> keras.Model:
    """Sampled frames -> Fisher vectors -> hidden -> context gate -> mixture of experts -> probability gate.

    clusters: of the first feature; the others have half as many. coupled: tie centres to the assignment
    kernel. draws: frames sampled, None for all. moe_l2: L2 penalty of the experts.
    Raises UsageError for mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, ordered=False, name="sample")(**inputs)
    widths = widths_of(dataset)
    frames = InputNorm(widths, name="input_norm")(UnitFrames(widths)(frames))
    vectors = [
        FisherVector(clusters if number == 0 else clusters // 2, coupled, name=f"fisher_{number}")(part)
        for number, part in enumerate(split(frames, dataset))
    ]
    vector = ContextGate(name="context_gate")(linear(fuse(vectors), hidden, clusters, "hidden"))
    probabilities = classifier(vector, dataset, mixtures, moe_l2)
    if probability_gate:
        probabilities = ContextGate(dataset.single_label, name="probability_gate")(probabilities)
    return keras.Model(inputs, probabilities, name="netfv")
