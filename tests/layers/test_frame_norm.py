"""BatchNorm over frames: values and gradients against TensorFlow's own of the formula, padding left out."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.reference import near
from yt8m_kit.layers.inputs.frame_norm import frame_shares, normalized, plain
from yt8m_kit.layers.inputs.normalization import BatchNorm

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(3, 2, (4, 9, 5)).astype(np.float32)
COUNTS = np.array([9, 1, 4, 6])
MASKS = {
    "all frames": np.zeros((4, 0), np.float32),
    "padding": (np.arange(9) < COUNTS[:, None]).astype(np.float32),
}
GAMMA, BETA = RNG.normal(1, 0.5, (2, 5)).astype(np.float32)
UPSTREAM = RNG.normal(size=INPUTS.shape).astype(np.float32)


def outputs_and_gradients(function, mask):
    """Outputs, mean and variance; gradients of inputs, gamma and beta."""
    given = [tf.constant(each) for each in (INPUTS, GAMMA, BETA)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        inputs, gamma, beta = given
        outputs, *moments = function(inputs, frame_shares(inputs, mask), gamma, beta, 1e-3)
    return [outputs, *moments, *tape.gradient(outputs, given, tf.constant(UPSTREAM))]


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_the_gradient_is_that_of_the_formula(mask):
    for found, expected in zip(*(outputs_and_gradients(each, mask) for each in (normalized, plain))):
        near(found, np.asarray(expected), 2e-5)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_values_are_those_of_numpy(mask):
    outputs, mean, variance, *_ = outputs_and_gradients(normalized, mask)
    rows = INPUTS.reshape(-1, 5) if not mask.size else INPUTS[mask > 0]
    near(mean, rows.mean(0), 1e-5)
    near(variance, rows.var(0), 1e-5)
    expected = (INPUTS - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3) * GAMMA + BETA
    near(outputs, expected, 1e-5)


def test_a_constant_only_moves_the_mean():
    """Its weights get a gradient, of zeros."""
    norm, constant = BatchNorm(), tf.Variable(np.arange(5, dtype=np.float32))
    norm.build(5)
    with tf.GradientTape() as tape:
        moved = norm(INPUTS, constant, training=True)
    assert not tape.gradient(moved, constant).numpy().any()
    own = BatchNorm()
    own.build(5)
    near(moved, np.asarray(own(INPUTS, training=True)), 1e-6)
    near(norm.moving_mean, own.moving_mean.numpy() + 0.001 * constant.numpy(), 1e-6)
