"""Attention pooling: hidden layers on every frame, then a mean over frames whose weights are learned.

Source: Kong et al., "Weakly labelled AudioSet tagging with attention neural networks", IEEE/ACM Transactions
on Audio, Speech, and Language Processing 27(11), 2019: single attention at decision level and at feature
level, with sigmoid weights.
"""

from typing import Literal

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, DropoutRate, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.embedding import FrameEmbedding
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.pooling.attention import AttentionPool


def build(
    dataset: Dataset,
    *,
    level: Literal["decision", "feature"] = "feature",
    hidden: Count = 1024,
    layers: Count = 3,
    attention: Literal["sigmoid", "softmax"] = "sigmoid",
    dropout: DropoutRate = 0.5,
    mixtures: Count | None = None,
    draws: Count | None = None,
    l2: NonNegative = 0.0,
    seed: Whole = 0,
) -> keras.Model:
    """All frames -> hidden layers on each -> attention pooling -> classifier.

    level: of attention, "feature" pools hidden features, which are then classified; "decision" classifies
    every frame and pools its probabilities, class by class.
    hidden: units of each of the layers.
    attention: "softmax" for weights that are a softmax over frames, "sigmoid" for sigmoids divided by their
    sum. dropout: rate, after each layer. mixtures: experts of a class at feature level, None for logistic
    regression; l2: their penalty. draws: random frames in place of all, None for all.
    Raises UsageError for decision level with single labels or mixtures, mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, name="sample")(**inputs)
    frames = InputNorm(name="input_norm")(UnitFrames()(frames))
    embedded = FrameEmbedding(hidden, layers, dropout, seed, name="embedding")(frames)
    if level == "decision":
        probabilities = AttentionPool(dataset.classes, "sigmoid", attention, name="attention")(
            embedded, frames.real
        )
    else:
        vector = AttentionPool(hidden, attention=attention, name="attention")(embedded, frames.real)
        probabilities = classifier(vector, dataset, mixtures, l2)
    return keras.Model(inputs, probabilities, name="attention_pooling")
