"""Layers of the iqiyi entry against numpy: non-local means, segments, temporal Xception."""

import keras
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
    softmax,
    unit,
)
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Floats
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.inputs.sampling import Segments
from yt8m_kit.layers.pooling.group_non_local import GroupDense, NonLocalMean
from yt8m_kit.layers.pooling.mean import UnitVector
from yt8m_kit.layers.temporal.segment_convolution import temporal_residual, temporal_xception

WIDE = Dataset("wide", (("rgb", 12), ("audio", 4)), classes=7, max_frames=9)
LONG = Dataset("long", (("rgb", 12), ("audio", 4)), classes=7, max_frames=300)


def named(layer):
    return {w.path.split("/", 1)[1]: np.asarray(w.numpy(), np.float64) for w in layer.weights}


def grouped(x, kernel, bias, groups):
    """A grouped 1x1 convolution, group by group: (n, D) -> (n, O)."""
    parts = np.split(x, groups, axis=1)
    stored = len(kernel)
    return np.concatenate([p @ kernel[g % stored] + bias[g % stored] for g, p in enumerate(parts)], axis=1)


@pytest.mark.parametrize(("dataset", "counts"), [(WIDE, COUNTS), (WIDE, [1]), (LONG, [300, 57])])
@pytest.mark.parametrize(("relu", "groups"), [(True, (4, 2)), (True, (1, 1)), (False, (1, 1))])
@pytest.mark.parametrize("shared", [True, False])
def test_non_local_mean(dataset, counts, relu, groups, shared):
    codes, counts = random_video(dataset, counts)
    frames = UnitFrames()(all_frames(codes, counts))
    x = unit(dequantize(codes, counts)[0])
    layer = NonLocalMean(8, groups[0], groups[1], shared=shared, relu=relu)
    layer(frames)
    scramble(layer)
    w, output = named(layer), ops.convert_to_numpy(layer(frames))
    for b, n in enumerate(counts):
        f = x[b, :n]
        q, k, v = (
            grouped(f, w[f"{name}/kernel"], w[f"{name}/bias"], count)
            for name, count in (("query", groups[0]), ("key", groups[0]), ("value", groups[1]))
        )
        answers = []
        heads = zip(*(np.split(z, groups[1], axis=1) for z in (q, k, v)))
        for q_g, k_g, v_g in heads:
            logits = q_g @ k_g.T
            weights = np.maximum(logits, 0) / n if relu else softmax(logits.T).T
            answers.append(weights.T @ v_g)
        expected = (w["strength"] * np.concatenate(answers, axis=1) + f).mean(0)
        near(output[b], expected)


def test_group_dense_and_the_counts_of_the_iqiyi_table():
    def count(width, groups, shared=False):
        layer = GroupDense(width, groups, shared)
        layer.build((None, 1024))
        return layer.count_params()

    assert (count(512, 1), count(1024, 1)) == (524_800, 1_049_600)
    assert count(128, 1) == 131_200
    assert (count(128, 16), count(1024, 8)) == (8_320, 132_096)
    assert (count(128, 16, shared=True), count(1024, 8, shared=True)) == (520, 16_512)
    x = np.random.default_rng(0).standard_normal((3, 12)).astype(np.float32)
    layer = GroupDense(8, 4)
    layer(x)
    scramble(layer)
    near(layer(x), grouped(x, named(layer)["kernel"], named(layer)["bias"], 4))


@pytest.mark.parametrize(
    ("width", "groups", "shared", "total"),
    [
        (512, (1, 1), False, 2_099_200),
        (128, (1, 1), False, 1_312_000),
        (128, (16, 8), False, 148_736),
        (128, (16, 8), True, 17_552),
    ],
)
def test_totals_of_the_iqiyi_table(width, groups, shared, total):
    layer = NonLocalMean(width, groups[0], groups[1], shared=shared)
    layer.build(all_frames(np.zeros((1, 2, 1024), np.uint8), np.array([2]))._replace(codes=(1, 2, 1024)))
    assert layer.count_params() == total + 1  # the scalar is not in the table


def test_group_dense_errors():
    with pytest.raises(UsageError, match="features must be divisible by groups; got 12 to 8, groups=3"):
        GroupDense(8, 3)(np.zeros((2, 12), np.float32))


def test_segments_take_middles_and_then_random_frames():
    codes = np.broadcast_to(np.arange(250, dtype=np.uint8)[:, None], (2, 250, 1))
    counts = np.array([250, 2], np.int32)
    layer = Segments(training=3, prediction=5)
    middles = ops.convert_to_numpy(layer(codes, counts).codes)[..., 0]
    assert middles.tolist() == [[25, 75, 125, 175, 225], [0, 0, 1, 1, 1]]
    drawn = [
        ops.convert_to_numpy(layer(codes, counts, training=True).codes)[0, :, 0].astype(int) for _ in range(2)
    ]
    assert all((d * 3 // 250).tolist() == [0, 1, 2] for d in drawn)
    assert not np.array_equal(*drawn)
    with pytest.raises(UsageError, match="segments must be at least 1; got training=0, prediction=5"):
        Segments(0, 5)


def test_unit_vector():
    x = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    near(UnitVector()(x), [[0.6, 0.8], [0, 0]])


def convolve(x, kernel, bias):
    """Length-3 convolution over time with zeros at both ends: (S, D), (3, D, O) -> (S, O)."""
    padded = np.pad(x, ((1, 1), (0, 0)))
    return sum(padded[i : i + len(x)] @ kernel[i] for i in range(3)) + bias


def test_temporal_xception():
    x = np.random.default_rng(0).standard_normal((4, 7, 6)).astype(np.float32)
    inputs = keras.Input((7, 6))
    model = keras.Model(inputs, temporal_xception(inputs, 5))
    scramble(model)
    layers = {layer.name: layer for layer in model.layers}

    def normed(z, number, training):
        return batch_norm(z, layers[f"xception_norm_{number}"], None, training)

    def pointwise(z, name):
        kernel, bias = layers[name].get_weights()
        return z @ kernel + bias

    def depthwise(z, name):
        kernel, bias = layers[name].get_weights()
        dense = kernel[:, :, 0][:, :, None] * np.eye(kernel.shape[1])
        return np.stack([convolve(video, dense, bias) for video in z])

    for training in (False, True):
        b = normed(x, 0, training)
        z = pointwise(depthwise(b, "depthwise_0"), "pointwise_0")
        z = depthwise(np.maximum(normed(z, 1, training), 0), "depthwise_1")
        z = pointwise(z, "pointwise_1") + pointwise(b, "shortcut")
        near(model(x, training=training), np.maximum(normed(z, 2, training), 0).max(1), 2e-5)


@pytest.mark.parametrize(("features", "parameters"), [(2048, 5_274_624), (1152, 3_432_448)])
def test_parameters_of_the_xception_block(features, parameters):
    inputs = keras.Input((7, features))
    assert keras.Model(inputs, temporal_xception(inputs, 1024)).count_params() == parameters


def test_temporal_residual():
    x = np.random.default_rng(0).standard_normal((4, 7, 6)).astype(np.float32)
    inputs = keras.Input((7, 6))
    model = keras.Model(inputs, temporal_residual(inputs))
    scramble(model)
    kernel, bias = model.get_layer("residual").get_weights()
    change = np.maximum(np.stack([convolve(video, kernel, bias) for video in x]), 0)
    near(model(x, training=True), x + batch_norm(change, model.get_layer("residual_norm")))


def test_floats():
    codes, counts = random_video(SMALL)
    near(Floats()(UnitFrames()(all_frames(codes, counts))), unit(dequantize(codes, counts)[0]))
