"""Label losses against their formulas, and single-label ones against Keras' own."""

import keras
import numpy as np
import pytest

from tests.support.reference import softmax
from yt8m_kit.layers.distillation import Distillation, divergence
from yt8m_kit.layers.losses import LabelLoss

LOGITS = np.random.default_rng(0).normal(0, 2, (6, 5)).astype(np.float32)
LABELS = np.eye(5, dtype=np.float32)[[0, 4, 2, 2, 1, 3]]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_of_keras(smoothing):
    loss = LabelLoss(0.0, single_label=True, smoothing=smoothing)
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    assert float(loss.of_logits(LABELS, LOGITS)) == pytest.approx(float(expected(LABELS, LOGITS)), rel=1e-5)
    assert float(loss(LABELS, softmax(LOGITS))) == pytest.approx(float(expected(LABELS, LOGITS)), rel=1e-5)


def test_soft_labels_are_smoothed_by_their_sum():
    """A teacher's top k sum to less than 1, and a video without a label to 0."""
    soft = LABELS * np.array([[0.5], [1], [0], [1], [0.25], [1]], np.float32)
    target = 0.8 * soft + 0.2 * soft.sum(axis=1, keepdims=True) / 5
    expected = -(target * np.log(softmax(LOGITS) + 1e-5)).sum(axis=1).mean()
    loss = LabelLoss(1e-5, single_label=True, smoothing=0.2)
    assert float(loss(soft, softmax(LOGITS))) == pytest.approx(float(expected), rel=1e-5)


def test_branches_of_a_mixture_learn_by_cross_entropy():
    branches = np.stack([LOGITS, LOGITS[::-1]], axis=1)
    outputs = {"mixture_logits": branches.mean(axis=1), "logits": branches}
    loss = LabelLoss(1e-8, single_label=True)
    found = Distillation(None, 3.0, 9.0).loss(outputs, LABELS, loss)
    expected = sum(
        float(loss.of_logits(LABELS, branch))
        + 9 * float(divergence(outputs["mixture_logits"], branch, 3.0, 1e-8))
        for branch in (LOGITS, LOGITS[::-1])
    )
    assert float(found) == pytest.approx(expected, rel=1e-5)
