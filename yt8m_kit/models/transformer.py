"""Transformer encoder over the frames of a video.

Source: Vaswani et al., "Attention is all you need" (2017), section 3.1, normalized before each part (Xiong et
al., 2020), with rotary positions (Su et al., "RoFormer", 2021) or learned ones, and a class token (Devlin et
al., "BERT", 2019) or attention pooling (Kong et al., 2019).
"""

from typing import Literal

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, DropoutRate, NonNegative, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample, Segments
from yt8m_kit.layers.pooling.attention import AttentionPool
from yt8m_kit.layers.temporal.encoder import EncoderBlock, Tokens, layer_norm


def build(
    dataset: Dataset,
    *,
    width: Count = 512,
    layers: Count = 4,
    heads: Count = 8,
    expansion: Count = 4,
    positions: Literal["rotary", "learned"] = "rotary",
    pooling: Literal["token", "attention"] = "token",
    dropout: DropoutRate = 0.1,
    mixtures: Count | None = 2,
    segments: Count | None = None,
    l2: NonNegative = 1e-6,
    seed: Whole = 0,
) -> keras.Model:
    """All frames in order -> encoder blocks -> class token or attention pooling -> mixture of experts.

    width: of a frame in the encoder. expansion: of the feed-forward networks' hidden units.
    positions: "rotary", rotations of queries and keys; "learned", a vector added for each position.
    pooling: "token", the encoded class token; "attention", a mean over frames with learned weights.
    dropout: rate, in each block and before the classifier.
    mixtures: experts of a class, None for logistic regression; l2: its penalty.
    segments: one frame of each of so many equal segments in place of all, None for all.
    Raises UsageError where heads do not divide width, for rotary positions with an odd width of a head, and
    for mixtures < 1 or segments < 1.
    """
    inputs = video_inputs(dataset)
    chosen = Segments(segments, segments, seed, name="segments") if segments else Sample(None, name="sample")
    frames = InputNorm(name="input_norm")(UnitFrames()(chosen(**inputs)))
    tokens = Tokens(width, pooling == "token", positions == "learned", name="tokens")
    sequence, real = tokens(frames)
    for number in range(layers):
        block = EncoderBlock(
            heads, expansion, positions == "rotary", dropout, 2 * number + seed, name=f"block_{number}"
        )
        sequence = block(sequence, real)
    sequence = layer_norm("norm")(sequence)
    vector = sequence[:, 0] if pooling == "token" else AttentionPool(width, name="attention")(sequence, real)
    vector = keras.layers.Dropout(dropout, seed=seed, dtype="float32", name="dropout")(vector)
    return keras.Model(inputs, classifier(vector, dataset, mixtures, l2), name="transformer")
