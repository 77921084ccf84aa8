"""Pooling layers against numpy, with garbage in the padding, on one frame and on 300."""

import numpy as np
import pytest
from keras import ops

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
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import aggregate_powers
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.pooling.bof import DeepBag, GatedBag, SoftBag
from yt8m_kit.layers.pooling.fisher import FisherVector
from yt8m_kit.layers.pooling.non_local import NonLocal
from yt8m_kit.layers.pooling.vlad import IntraNormalize, NetVLAD

LONG = Dataset("long", (("rgb", 12), ("audio", 5)), classes=7, max_frames=300)
CASES = [(SMALL, COUNTS), (SMALL, [1]), (LONG, [300, 123])]


def prepared(dataset, counts):
    """UnitFrames, and the same values (B, T, D) and mask (B, T) in numpy."""
    codes, counts = random_video(dataset, counts)
    x, mask = dequantize(codes, counts)
    return UnitFrames()(all_frames(codes, counts)), unit(x), mask


def built(layer, frames):
    layer(frames)
    scramble(layer)
    return layer, {w.path.split("/", 1)[1]: np.asarray(w.numpy(), np.float64) for w in layer.weights}


@pytest.mark.parametrize(("dataset", "counts"), CASES)
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_netvlad(dataset, counts, residual, training):
    frames, x, mask = prepared(dataset, counts)
    layer, w = built(NetVLAD(4, residual), frames)
    logits = batch_norm(x @ w["assignment/kernel"], layer.projection.norm, mask, training)
    a = softmax(logits) * mask[..., None]
    v = np.einsum("btd,btk->bdk", x, a)
    if residual:
        v = v - w["centres"] * a.sum(1)[:, None, :]
    near(layer(frames, training=training), v)
    flat = unit(unit(v, axis=1).reshape(len(v), -1))
    near(IntraNormalize()(layer(frames, training=False)), flat if not training else _flat(layer, frames))


def _flat(layer, frames):
    return unit(
        unit(ops.convert_to_numpy(layer(frames, training=False)), axis=1).reshape(len(frames.row), -1)
    )


def test_netvlad_on_reduced_features():
    frames, x, mask = prepared(SMALL, COUNTS)
    layer, w = built(NetVLAD(4, reduced=6), frames)
    x = x @ w["basis"]
    a = softmax(batch_norm(x @ w["assignment/kernel"], layer.projection.norm, mask, False)) * mask[..., None]
    near(layer(frames), np.einsum("bte,btk->bek", x, a) - w["centres"] * a.sum(1)[:, None, :])


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("temperature", [None, 0.25])
def test_non_local(tie, temperature):
    v = np.random.default_rng(0).standard_normal((3, 12, 4)).astype(np.float32)
    layer, w = built(NonLocal(5, temperature, tie_g_to_phi=tie), v)
    rows = v.transpose(0, 2, 1).astype(np.float64)
    theta, phi, g = (rows @ w[name] for name in ("theta", "phi", "phi" if tie else "g"))
    relation = softmax((temperature or 12**-0.5) * theta @ phi.transpose(0, 2, 1))
    near(layer(v), (rows + relation @ g @ w["out"]).transpose(0, 2, 1))


@pytest.mark.parametrize(("dataset", "counts"), CASES)
@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize("training", [True, False])
def test_deep_bag(dataset, counts, pooling, training):
    frames, x, mask = prepared(dataset, counts)
    layer, w = built(DeepBag(8, pooling), frames)
    active = np.clip(batch_norm(x @ w["assignment/kernel"], layer.projection.norm, mask, training), 0, 6)
    active = active * mask[..., None]
    expected = active.max(1) if pooling == "max" else active.sum(1) / mask.sum(1, keepdims=True)
    near(layer(frames, training=training), expected)


def test_deep_bag_with_negative_gamma():
    frames, x, mask = prepared(SMALL, COUNTS)
    layer, w = built(DeepBag(8), frames)
    layer.projection.norm.gamma.assign(np.linspace(-2, 2, 8))
    active = np.clip(batch_norm(x @ w["assignment/kernel"], layer.projection.norm, mask), 0, 6)
    near(layer(frames, training=True), (active * mask[..., None]).max(1))


def test_unknown_pooling():
    with pytest.raises(UsageError, match="pooling must be one of max, mean; got pooling=median"):
        DeepBag(8, "median")


@pytest.mark.parametrize(("dataset", "counts"), CASES)
@pytest.mark.parametrize("maximum", [True, False])
def test_soft_bag(dataset, counts, maximum):
    frames, x, mask = prepared(dataset, counts)
    layer, w = built(SoftBag(8, maximum), frames)
    a = softmax(batch_norm(x @ w["assignment/kernel"], layer.projection.norm, mask)) * mask[..., None]
    expected = [unit(a.sum(1)), unit(a.max(1))][: 1 + maximum]
    near(layer(frames, training=True), np.concatenate(expected, axis=1))


@pytest.mark.parametrize(("dataset", "counts"), CASES)
@pytest.mark.parametrize("training", [True, False])
def test_gated_bag(dataset, counts, training):
    frames, x, mask = prepared(dataset, counts)
    layer, w = built(GatedBag(8), frames)
    logits = batch_norm(x @ w["assignment/kernel"], layer.projection.norm, mask, training)
    a = softmax(logits) * mask[..., None]
    hidden = unit(a.max(1)) @ w["squeeze"] @ w["excite"]
    gate = sigmoid(batch_norm(hidden, layer.norm, None, training))
    near(layer(frames, training=training), unit(a.sum(1) * gate))


@pytest.mark.parametrize(("dataset", "counts"), CASES)
@pytest.mark.parametrize("coupled", [True, False])
def test_fisher_vector(dataset, counts, coupled):
    frames, x, mask = prepared(dataset, counts)
    layer, w = built(FisherVector(4, coupled), frames)
    a = softmax(batch_norm(x @ w["assignment/kernel"], layer.projection.norm, mask, False)) * mask[..., None]
    s, mass = w["deviations"] ** 2 + 1e-6, a.sum(1)[:, None, :]
    c = 0.01 * w["assignment/kernel"] if coupled else w["centres"]
    ax, axx = np.einsum("btd,btk->bdk", x, a), np.einsum("btd,btk->bdk", x**2, a)
    first = unit((ax - mass * c) / s, axis=1)
    second = (mass * c**2 + axx - 2 * c * ax) / s**2 - mass
    expected = np.concatenate([unit(v.reshape(len(v), -1)) for v in (first, second)], axis=1)
    near(layer(frames), expected)


def test_fisher_vector_behind_an_input_norm():
    frames, x, mask = prepared(SMALL, COUNTS)
    norm = InputNorm()
    norm(frames)
    scramble(norm)
    x = batch_norm(x, norm, mask)
    weights = np.random.default_rng(3).random((4, 9, 3)).astype(np.float32)
    first, second = aggregate_powers(weights, norm(frames, training=True))
    near(first, np.einsum("btd,btk->bdk", x, weights))
    near(second, np.einsum("btd,btk->bdk", x**2, weights))
