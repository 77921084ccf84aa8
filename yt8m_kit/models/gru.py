"""Gated recurrent units: WILLOW's and YT8M-T's two layers, first place's bidirectional RNN3.

Source: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).
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
    units: Count = 1200,
    layers: Count = 2,
    bidirectional: Count | None = None,
    state: Literal["top", "all"] = "all",
    mixtures: Count | None = 2,
    draws: Count | None = None,
    l2: NonNegative = 1e-6,
    seed: Whole = 0,
) -> keras.Model:
    """All frames in order -> recurrent layers -> last states -> mixture of experts.

    state: input of the classifier, the last state of the "top" layer or of "all" layers.
    bidirectional: units per direction of a bidirectional first layer, None for none.
    mixtures: experts of a class, None for logistic regression; l2: its penalty.
    draws: random frames in place of all, None for all.
    Raises UsageError for layers < 1, mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = UnitFrames()(Sample(draws, seed, name="sample")(**inputs))
    states = stack("gru", frames, units, layers, bidirectional)
    chosen = [last for layer in states for last in layer] if state == "all" else states[-1]
    vector = ops.concatenate(chosen, axis=1) if len(chosen) > 1 else chosen[0]
    return keras.Model(inputs, classifier(vector, dataset, mixtures, l2), name="gru")
