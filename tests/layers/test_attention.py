"""Attention pooling and its hidden layers against NumPy, with garbage in the padding."""

import numpy as np
import pytest

from tests.support.reference import (
    COUNTS,
    SMALL,
    all_frames,
    batch_norm,
    dequantize,
    near,
    random_video,
    scramble,
    sigmoid,
    unit,
)
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.embedding import FrameEmbedding
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.pooling.attention import AttentionPool


def weights(layer):
    return {w.path.split("/", 1)[1]: np.asarray(w.numpy(), np.float64) for w in layer.weights}


def built(layer, *inputs):
    layer(*inputs)
    scramble(layer)
    return layer, weights(layer)


def sequences(width=8, length=6, counts=(6, 1, 4)):
    """Random (B, S, W) with garbage in the padding, and the mask."""
    real = (np.arange(length) < np.array(counts)[:, None]).astype(np.float32)
    values = np.random.default_rng(0).standard_normal((len(counts), length, width)).astype(np.float32)
    return values + 100 * (1 - real[..., None]), real


def prepared():
    codes, counts = random_video(SMALL, COUNTS)
    x, mask = dequantize(codes, counts)
    return UnitFrames()(all_frames(codes, counts)), unit(x), mask


@pytest.mark.parametrize("attention", ["sigmoid", "softmax"])
@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_attention_pool(activation, attention):
    x, real = sequences()
    layer, w = built(AttentionPool(5, activation, attention), x, real)
    value = x @ w["kernel"] + w["bias"]
    value = sigmoid(value) if activation == "sigmoid" else value
    logits = (x * real[..., None]) @ w["attention_kernel"] + w["attention_bias"]
    q = (sigmoid(logits) if attention == "sigmoid" else np.exp(logits)) * real[..., None]
    near(layer(x, real), (value * q).sum(1) / q.sum(1))


@pytest.mark.parametrize("attention", ["sigmoid", "softmax"])
def test_attention_of_no_frame_is_zero(attention):
    x, real = sequences()
    layer, _ = built(AttentionPool(5, attention=attention), x, real)
    near(layer(x, 0 * real), np.zeros((3, 5)))


def test_unknown_activation():
    with pytest.raises(UsageError, match="activation must be one of linear, sigmoid; got tanh"):
        AttentionPool(5, "tanh")
    with pytest.raises(UsageError, match="attention must be one of sigmoid, softmax; got tanh"):
        AttentionPool(5, attention="tanh")


@pytest.mark.parametrize("training", [True, False])
def test_embedding(training):
    frames, x, mask = prepared()
    layer, w = built(FrameEmbedding(6, 2), frames)
    h = np.maximum(batch_norm(x @ w["first/kernel"], layer.first.norm, mask, training), 0)
    h = np.maximum(batch_norm(h @ w["kernel_1"], layer.norms[0], mask, training), 0)
    near(np.asarray(layer(frames, training=training)) * mask[..., None], h * mask[..., None])
