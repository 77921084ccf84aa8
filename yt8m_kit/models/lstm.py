"""Long short-term memory: the starter's and WILLOW's two layers, first place's bidirectional RNN1 and RNN2.

Source: Hochreiter, Schmidhuber, "Long short-term memory" (1997).
"""

from typing import Literal

import keras
from keras import ops

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.temporal.recurrent import stack


def build(
    dataset: Dataset,
    *,
    units: Count = 1024,
    layers: Count = 2,
    bidirectional: Count | None = None,
    state: Literal["top", "cell", "all"] = "top",
    mixtures: Count | None = 2,
    draws: Count | None = None,
    l2: NonNegative = 1e-8,
    seed: Whole = 0,
) -> keras.Model:
    """All frames in order -> recurrent layers -> last states -> mixture of experts.

    state: input of the classifier, the last output h of the "top" layer, its last "cell" state c, or h and c
    of "all" layers.
    bidirectional: units per direction of a bidirectional first layer, None for none.
    mixtures: experts of a class, None for logistic regression; l2: its penalty.
    draws: random frames in place of all (150 in WILLOW's), None for all.
    Raises UsageError for layers < 1, mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = UnitFrames()(Sample(draws, seed, name="sample")(**inputs))
    states = stack("lstm", frames, units, layers, bidirectional)
    output, cell = states[-1]
    if state == "all":
        vector = ops.concatenate([last for layer in states for last in layer], axis=1)
    else:
        vector = output if state == "top" else cell
    return keras.Model(inputs, classifier(vector, dataset, mixtures, l2), name="lstm")
