"""Logistic regression on the mean frame, the frame-level baseline of the starter code.

Source: the 2018 YouTube-8M starter code.
"""

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import NonNegative
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.pooling.mean import MeanFrame


def build(dataset: Dataset, *, l2: NonNegative = 1e-8) -> keras.Model:
    """Mean of L2-normalized frames -> sigmoid(x W + b), or softmax. l2: L2 penalty on W."""
    inputs = video_inputs(dataset)
    frames = UnitFrames()(Sample(draws=None)(**inputs))
    probabilities = classifier(MeanFrame()(frames), dataset, None, l2)
    model = keras.Model(inputs, probabilities, name="frame_logistic")
    model.compile_whole_step = True  # little but the update, which XLA compiles in any case
    return model
