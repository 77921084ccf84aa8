"""Soft bag of frames: WILLOW's Soft-DBoF and YT8M-T's Soft-BoF 4k and 8k (4000 and 8000 clusters).

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
from yt8m_kit.layers.pooling.bof import SoftBag


def build(
    dataset: Dataset,
    *,
    clusters: Annotated[int, Interval(8)] = 8000,
    hidden: Count = 1024,
    mixtures: Count = 2,
    relu: bool = False,
    maximum: bool = False,
    draws: Count | None = 300,
    moe_l2: NonNegative = 1e-8,
    seed: Whole = 0,
) -> keras.Model:
    """Sampled frames -> soft bag of each feature -> hidden -> mixture of experts.

    clusters: of the first feature; the others have an eighth. draws: frames sampled, None for all.
    maximum: concatenate maxima over frames to the sums.
    relu: BatchNorm and relu6 after the hidden layer in place of a bias; the published models have a bias,
    with which training takes many times as long. moe_l2: L2 penalty of the experts.
    Raises UsageError for mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, ordered=False, name="sample")(**inputs)
    widths = widths_of(dataset)
    frames = InputNorm(widths, name="input_norm")(UnitFrames(widths)(frames))
    bags = [
        SoftBag(clusters if number == 0 else clusters // 8, maximum, name=f"bag_{number}")(part)
        for number, part in enumerate(split(frames, dataset))
    ]
    layer = relu6 if relu else linear
    vector = layer(fuse(bags), hidden, clusters, "hidden")
    probabilities = classifier(vector, dataset, mixtures, moe_l2)
    return keras.Model(inputs, probabilities, name="soft_bof")
