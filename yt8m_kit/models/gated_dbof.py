"""Gated deep bag of frames: WILLOW's gated soft bag, first place's DBoF1, DBoF2 and DBoF3.

Source: Miech, Laptev, Sivic, "Learnable pooling with context gating" (2017).
"""

from typing import Annotated

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, Interval, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.heads.hidden import fuse, linear, relu6
from yt8m_kit.layers.inputs.frames import split, video_inputs, widths_of
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.pooling.bof import GatedBag, SoftBag


def build(
    dataset: Dataset,
    *,
    clusters: Annotated[int, Interval(8)] = 4096,
    hidden: Count = 1024,
    mixtures: Count = 2,
    relu: bool = False,
    draws: Count | None = 300,
    moe_l2: NonNegative = 1e-6,
    seed: Whole = 0,
) -> keras.Model:
    """Sampled frames -> gated bag of the first feature, soft bags of the others -> hidden -> experts.

    clusters: of the first feature; the others have an eighth. draws: frames sampled, None for all.
    relu: BatchNorm and relu6 after the hidden layer in place of a bias; the published models have a bias,
    with which training takes many times as long. moe_l2: L2 penalty of the experts.
    Raises UsageError for mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, ordered=False, name="sample")(**inputs)
    widths = widths_of(dataset)
    frames = InputNorm(widths, name="input_norm")(UnitFrames(widths)(frames))
    first, *others = split(frames, dataset)
    bags = [GatedBag(clusters, name="bag_0")(first)]
    for number, part in enumerate(others, start=1):
        bags.append(SoftBag(clusters // 8, name=f"bag_{number}")(part))
    layer = relu6 if relu else linear
    vector = layer(fuse(bags), hidden, clusters, "hidden")
    probabilities = classifier(vector, dataset, mixtures, moe_l2)
    return keras.Model(inputs, probabilities, name="gated_dbof")
