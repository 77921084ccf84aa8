"""Temporal segment networks: a classifier of single frames whose logits are averaged over segments.

Source: Wang et al., "Temporal segment networks" (2016), as in the iqiyi entry to ActivityNet 2019
(Kinetics-700); the classifier of frame features is ours.
"""

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.inputs.sampling import Segments
from yt8m_kit.layers.pooling.bof import DeepBag


def build(
    dataset: Dataset,
    *,
    hidden: Count = 2048,
    segments: Count = 3,
    prediction_segments: Count = 25,
    l2: NonNegative = 1e-8,
    seed: Whole = 0,
) -> keras.Model:
    """A frame of each segment -> relu6(BN(x W)) -> logits, averaged over segments -> sigmoid or softmax.

    hidden: units. segments: in training, with random frames; prediction_segments: at prediction, with middle
    frames. The mean of the logits is computed as the logits of the mean hidden vector, which is equal.
    l2: penalty of the classifier. Raises UsageError for segments < 1.
    """
    inputs = video_inputs(dataset)
    frames = UnitFrames()(Segments(segments, prediction_segments, seed, name="segments")(**inputs))
    vector = DeepBag(hidden, "mean", name="hidden")(frames)
    return keras.Model(inputs, classifier(vector, dataset, None, l2), name="tsn")
