"""Hierarchical group-wise non-local aggregation (HG-NL).

Source: the iqiyi entry to ActivityNet 2019 (Kinetics-700), where it aggregates TSN features of images. Here
it aggregates frame features; input normalization and classifier are our choice.
"""

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample, Segments
from yt8m_kit.layers.pooling.group_non_local import NonLocalMean


def build(
    dataset: Dataset,
    *,
    reduction: Count = 8,
    query_groups: Count = 16,
    value_groups: Count = 8,
    shared: bool = False,
    grouped: bool = True,
    mixtures: Count | None = 2,
    draws: Count | None = None,
    segments: Count | None = None,
    prediction_segments: Count | None = None,
    l2: NonNegative = 1e-6,
    seed: Whole = 0,
) -> keras.Model:
    """All frames -> non-local mean -> mixture of experts.

    reduction: queries and keys have 1/reduction of the features. query_groups, value_groups: of the
    projections; shared: one kernel for all groups. grouped: False for the plain non-local block, with softmax
    and without groups. mixtures: experts of a class, None for logistic regression; l2: its penalty.
    draws: random frames in place of all, None for all. segments: in training a random frame of each of so
    many segments in place of all frames; prediction_segments: middle frames at prediction, None for as many.
    Raises UsageError where groups do not divide the features, for mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    if segments:
        frames = Segments(segments, prediction_segments or segments, seed, name="segments")(**inputs)
    else:
        frames = Sample(draws, seed, name="sample")(**inputs)
    frames = InputNorm(name="input_norm")(UnitFrames()(frames))
    groups = (query_groups, value_groups) if grouped else (1, 1)
    block = NonLocalMean(dataset.width // reduction, *groups, shared, relu=grouped, name="non_local")
    return keras.Model(inputs, classifier(block(frames), dataset, mixtures, l2), name="hg_nl")
