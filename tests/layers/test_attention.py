"""Attention pooling and the transformer's layers against NumPy, with garbage in the padding."""

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
    softmax,
    unit,
)
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.embedding import FrameEmbedding
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.pooling.attention import AttentionPool
from yt8m_kit.layers.temporal.encoder import EncoderBlock, Tokens
from yt8m_kit.layers.temporal.self_attention import SelfAttention, rotated


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


def turned(x, base=10_000.0):
    """RoFormer's rotation, as complex numbers."""
    half = x.shape[-1] // 2
    angle = np.arange(x.shape[1])[:, None] * base ** (-2 * np.arange(half) / x.shape[-1])
    z = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angle)[:, None, :]
    return np.concatenate([z.real, z.imag], axis=-1)


def test_rotations_depend_on_distances_alone():
    rng = np.random.default_rng(0)
    q, k = (np.broadcast_to(rng.standard_normal(8), (1, 7, 1, 8)).astype(np.float32) for _ in "qk")
    near(rotated(q), turned(q))
    products = np.einsum("bsnh,bznh->sz", np.asarray(rotated(q)), np.asarray(rotated(k)))
    for distance in range(-6, 7):
        near(np.ptp(np.diagonal(products, distance)), 0.0)


def attended(x, real, w, heads, rotary, prefix=""):
    batch, length, width = x.shape
    q, k, v = (
        (x @ w[f"{prefix}{name}"]).reshape(batch, length, heads, -1) for name in ("query", "key", "value")
    )
    q, k = (turned(q), turned(k)) if rotary else (q, k)
    logits = np.einsum("bsnh,bznh->bnsz", q, k) / np.sqrt(width / heads)
    shares = softmax(np.where(real[:, None, None, :] > 0, logits, -np.inf))
    return np.einsum("bnsz,bznh->bsnh", shares, v).reshape(x.shape) @ w[f"{prefix}out"]


@pytest.mark.parametrize("rotary", [True, False])
def test_self_attention(rotary):
    x, real = sequences()
    layer, w = built(SelfAttention(2, rotary), x, real)
    expected = attended(x.astype(np.float64) * real[..., None], real, w, 2, rotary)
    near(np.asarray(layer(x, real)) * real[..., None], expected * real[..., None])


def test_heads_divide_the_width():
    with pytest.raises(UsageError, match="width must be divisible by heads; got width=8, heads=3"):
        SelfAttention(3)(*sequences())
    with pytest.raises(UsageError, match="even width of a head; got 1"):
        SelfAttention(8)(*sequences())


def normalized(x, w, name):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * w[f"{name}/gamma"] + w[f"{name}/beta"]


def test_encoder_block():
    x, real = sequences()
    layer, w = built(EncoderBlock(2, expansion=3), x, real)
    y = x + attended(normalized(x, w, "norm_0"), real, w, 2, True, "attention/")
    a = normalized(y, w, "norm_1") @ w["widen"] + w["widen_bias"]
    gelu = 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))
    expected = y + gelu @ w["narrow"] + w["narrow_bias"]
    near(np.asarray(layer(x, real)) * real[..., None], expected * real[..., None])


@pytest.mark.parametrize("token", [True, False])
@pytest.mark.parametrize("positions", [True, False])
def test_tokens(token, positions):
    frames, x, mask = prepared()
    layer, w = built(Tokens(4, token, positions), frames)
    expected = batch_norm(x @ w["projection/kernel"], layer.projection.norm, mask, False)
    if token:
        expected = np.concatenate([np.broadcast_to(w["token"], (4, 1, 4)), expected], axis=1)
        mask = np.concatenate([np.ones((4, 1)), mask], axis=1)
    if positions:
        expected = expected + w["positions"]
    sequence, real = layer(frames)
    near(real, mask)
    near(np.asarray(sequence) * mask[..., None], expected * mask[..., None])
