"""Recurrent layers against numpy loops, and their hand-written gradients against the backend's."""

import numpy as np
import pytest
from keras import ops

from tests.support.reference import (
    COUNTS,
    SMALL,
    all_frames,
    dequantize,
    near,
    random_video,
    scramble,
    sigmoid,
    unit,
)
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.normalization import UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.temporal import cells
from yt8m_kit.layers.temporal.recurrent import Recurrent, ReverseFrames, ReverseSequence, stack

LONG = Dataset("long", (("rgb", 12), ("audio", 5)), classes=7, max_frames=300)


def prepared(dataset, counts):
    codes, counts = random_video(dataset, counts)
    return UnitFrames()(all_frames(codes, counts)), unit(dequantize(codes, counts)[0])


def gru_step(x, h, w, units):
    gates = x @ w["kernel"] + w["bias"]
    u = w["recurrent_kernel"]
    z, r = np.split(sigmoid(gates[: 2 * units] + h @ u[:, : 2 * units]), 2)
    return z * h + (1 - z) * np.tanh(gates[2 * units :] + (r * h) @ u[:, 2 * units :])


def lstm_step(x, state, w):
    h, c = state
    i, j, f, o = np.split(x @ w["kernel"] + w["bias"] + h @ w["recurrent_kernel"], 4)
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    return sigmoid(o) * np.tanh(c), c


def run(cell, x, count, w, units):
    """States after each frame of a video, and the last ones: (T, H), h, c."""
    h = c = np.zeros(units)
    sequence = []
    for t in range(len(x)):
        if t < count and cell == "gru":
            h = gru_step(x[t], h, w, units)
        elif t < count:
            h, c = lstm_step(x[t], (h, c), w)
        sequence.append(h)
    return np.array(sequence), h, c


@pytest.mark.parametrize(("dataset", "counts"), [(SMALL, COUNTS), (SMALL, [1]), (LONG, [300, 57])])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent(dataset, counts, cell):
    frames, x = prepared(dataset, counts)
    layer = Recurrent(cell, 6)
    layer(frames, frames.mask)
    scramble(layer)
    w = {w.path.split("/", 1)[1]: np.asarray(w.numpy(), np.float64) for w in layer.weights}
    sequence, states = layer(frames, frames.mask)
    for b, count in enumerate(counts):
        expected, h, c = run(cell, x[b], count, w, 6)
        near(sequence[:, b], expected)
        near(states[0][b], h)
        if cell == "lstm":
            near(states[1][b], c)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_are_those_of_the_plain_loop(cell):
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    width = 5 * (3 if cell == "gru" else 4)
    gates = tf.constant(rng.standard_normal((7, 4, width)), "float32")
    kernel = tf.constant(rng.standard_normal((5, width)) * 0.5, "float32")
    mask = tf.constant((np.arange(7)[:, None] < COUNTS)[:, :, None], "float32")
    weights = tf.constant(rng.standard_normal((7, 4, 5)), "float32")

    def ours(gates, kernel):
        if cell == "gru":
            return cells.gru(gates, kernel, mask, "float32"), 0.0
        return cells.lstm(gates, kernel, mask, "float32")

    def plain(gates, kernel):
        h = c = tf.zeros((4, 5))
        sequence = []
        for x, real in zip(tf.unstack(gates), tf.unstack(mask)):
            if cell == "gru":
                z, r = tf.split(tf.sigmoid(x[:, :10] + h @ kernel[:, :10]), 2, 1)
                new, fresh = z * h + (1 - z) * tf.tanh(x[:, 10:] + (r * h) @ kernel[:, 10:]), c
            else:
                i, j, f, o = tf.split(x + h @ kernel, 4, 1)
                fresh = tf.sigmoid(f + 1) * c + tf.sigmoid(i) * tf.tanh(j)
                new = tf.sigmoid(o) * tf.tanh(fresh)
            h, c = tf.where(real > 0, new, h), tf.where(real > 0, fresh, c)
            sequence.append(h)
        return tf.stack(sequence), c if cell == "lstm" else 0.0

    outcomes = []
    for function in (ours, plain):
        with tf.GradientTape() as tape:
            tape.watch([gates, kernel])
            sequence, last = function(gates, kernel)
            loss = tf.reduce_sum(sequence * weights) + tf.reduce_sum(last * weights[0])
        outcomes.append([sequence, *tape.gradient(loss, [gates, kernel])])
    for mine, theirs in zip(*outcomes):
        near(mine, theirs)


def test_reverse_turns_real_frames_only():
    frames, x = prepared(SMALL, COUNTS)
    turned = ops.convert_to_numpy(ReverseFrames()(frames).codes)
    codes = ops.convert_to_numpy(frames.codes)
    sequence = ops.convert_to_numpy(ReverseSequence()(np.moveaxis(x, 0, 1), frames.mask))
    for b, n in enumerate(COUNTS):
        assert np.array_equal(turned[b, :n], codes[b, :n][::-1])
        assert np.array_equal(turned[b, n:], codes[b, n:])
        assert np.array_equal(sequence[:n, b], x[b, :n][::-1])


def test_reverse_of_sampled_frames():
    codes, counts = random_video()
    frames = Sample(6)(codes, counts)
    near(ReverseFrames()(frames).codes, ops.convert_to_numpy(frames.codes)[:, ::-1], 0)


def test_bidirectional_layer_sees_both_ends():
    frames, x = prepared(SMALL, COUNTS)
    states = stack("gru", frames, units=4, layers=1, bidirectional=3)
    assert [[tuple(s.shape) for s in layer] for layer in states] == [[(4, 3), (4, 3)], [(4, 4)]]
    layer = Recurrent("gru", 3)
    turned = ReverseFrames()(frames)
    layer(turned, turned.mask)
    scramble(layer)
    w = {w.path.split("/", 1)[1]: np.asarray(w.numpy(), np.float64) for w in layer.weights}
    _, (last,) = layer(turned, turned.mask)
    for b, n in enumerate(COUNTS):
        near(last[b], run("gru", x[b, :n][::-1], n, w, 3)[1])


def test_biases_start_as_in_the_sources():
    frames, _ = prepared(SMALL, COUNTS)
    gru, lstm = Recurrent("gru", 2), Recurrent("lstm", 2)
    gru(frames, frames.mask), lstm(frames, frames.mask)
    assert gru.bias.numpy().tolist() == [1, 1, 1, 1, 0, 0]
    assert lstm.bias.numpy().tolist() == [0] * 8


def test_layers_below_one():
    with pytest.raises(UsageError, match="layers must be at least 1; got layers=0"):
        stack("gru", prepared(SMALL, COUNTS)[0], units=4, layers=0)
