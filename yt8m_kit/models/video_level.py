"""Video-level baselines: logistic regression or mixture of experts on the L2-normalized mean frame.

A video-level record is read as a video of one frame, its mean_rgb and mean_audio.
Source: the 2018 YouTube-8M starter code.
"""

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, NonNegative
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.pooling.mean import MeanFrame, UnitVector


def build(dataset: Dataset, *, mixtures: Count | None = 2, l2: NonNegative = 1e-8) -> keras.Model:
    """Mean frame -> unit vector -> mixture of experts, or logistic regression for mixtures=None.

    l2: penalty of the classifier. Raises UsageError for mixtures < 1.
    """
    inputs = video_inputs(dataset)
    mean = MeanFrame(name="mean")(Sample(draws=None, name="sample")(**inputs))
    vector = UnitVector(name="unit")(mean)
    return keras.Model(inputs, classifier(vector, dataset, mixtures, l2), name="video_level")
