"""StNet on frame features: temporal Xception block, optionally after a residual temporal convolution.

Source: He et al., "StNet" (2019), as in the iqiyi entry to ActivityNet 2019 (Kinetics-700), without its image
network.
"""

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.frames import Floats, video_inputs
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.inputs.sampling import Segments
from yt8m_kit.layers.temporal.segment_convolution import temporal_residual, temporal_xception


def build(
    dataset: Dataset,
    *,
    width: Count = 1024,
    segments: Count = 7,
    prediction_segments: Count | None = None,
    residual: bool = False,
    mixtures: Count | None = None,
    l2: NonNegative = 1e-8,
    seed: Whole = 0,
) -> keras.Model:
    """A frame of each segment -> temporal Xception block -> logistic regression or mixture of experts.

    width: channels of the block. segments: in training; prediction_segments: at prediction, None for as many.
    residual: add the temporal convolution before the block.
    mixtures: experts of a class, None for logistic regression; l2: its penalty.
    Raises UsageError for segments < 1 or mixtures < 1.
    """
    inputs = video_inputs(dataset)
    chosen = Segments(segments, prediction_segments or segments, seed, name="segments")(**inputs)
    frames = Floats(name="floats")(UnitFrames()(chosen))
    if residual:
        frames = temporal_residual(frames)
    vector = temporal_xception(frames, width)
    return keras.Model(inputs, classifier(vector, dataset, mixtures, l2), name="stnet")
