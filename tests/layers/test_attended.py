"""Attended assignment: values against numpy, gradients against TensorFlow's own of the formula."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.reference import near, softmax
from yt8m_kit.layers.pooling.attended import attended

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (4, 9, 2, 3)).astype(np.float32)
ATTENTION = RNG.uniform(0, 1, (4, 9, 2)).astype(np.float32)
REAL = np.arange(9) < np.array([9, 1, 4, 6])[:, None]
ROWS = {"mask": REAL.astype(np.float32), "norms": (REAL * RNG.uniform(0.5, 2, (4, 9))).astype(np.float32)}
UPSTREAM = [RNG.normal(size=shape).astype(np.float32) for shape in ((4, 9, 2, 3), (4, 2, 3))]


def outputs_and_gradients(row, training):
    """Scaled assignment and mass; gradients of logits and attention."""
    given = [tf.constant(LOGITS), tf.constant(ATTENTION * REAL[..., None])]
    with tf.GradientTape() as tape:
        tape.watch(given)
        outputs = attended(given[0], given[1] * row[..., None], tf.constant(row), training)
    return [*outputs, *tape.gradient(outputs, given, [tf.constant(each) for each in UPSTREAM])]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_values_are_those_of_numpy(row):
    scaled, mass, *_ = outputs_and_gradients(row, training=True)
    weights = softmax(LOGITS) * (ATTENTION * REAL[..., None])[..., None]
    near(scaled, weights * row[..., None, None], 1e-5)
    near(mass, weights.sum(1), 1e-5)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_gradient_is_that_of_the_formula(row):
    for found, expected in zip(outputs_and_gradients(row, True), outputs_and_gradients(row, False)):
        near(found, np.asarray(expected), 1e-5)
