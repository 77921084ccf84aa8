"""Gates and classifier heads against numpy."""

import keras
import numpy as np
import pytest

from tests.support.reference import batch_norm, near, scramble, sigmoid, softmax
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.heads.experts import Logistic, MixtureOfExperts
from yt8m_kit.layers.heads.gating import ContextGate, SqueezeGate

X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)


def built(layer):
    layer(X)
    scramble(layer)
    return layer, {w.path.split("/", 1)[1]: np.asarray(w.numpy(), np.float64) for w in layer.weights}


@pytest.mark.parametrize("training", [True, False])
def test_context_gate(training):
    layer, w = built(ContextGate())
    near(layer(X, training=training), X * sigmoid(batch_norm(X @ w["kernel"], layer.norm, None, training)))


@pytest.mark.parametrize("training", [True, False])
def test_gated_probabilities_sum_to_one_again(training):
    layer, w = built(ContextGate(normalized=True))
    x = softmax(X)
    gated = x * sigmoid(batch_norm(x @ w["kernel"], layer.norm, None, training))
    near(layer(x, training=training), gated / gated.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("training", [True, False])
def test_squeeze_gate(training):
    layer, w = built(SqueezeGate(reduction=4))
    narrow = np.maximum(batch_norm(X @ w["squeeze"], layer.norm, None, training), 0)
    near(layer(X, training=training), X * sigmoid(narrow @ w["excite"]))
    assert w["squeeze"].shape == (8, 2)


@pytest.mark.parametrize("dummy", [True, False])
@pytest.mark.parametrize("gate_rank", [None, 3])
def test_mixture_of_experts(dummy, gate_rank):
    layer, w = built(MixtureOfExperts(5, 3, dummy=dummy, gate_rank=gate_rank))
    narrow = X @ w["gate_squeeze"] if gate_rank else X
    gates = softmax((narrow @ w["gate_kernel"]).reshape(6, 5, 3 + dummy))[..., :3]
    experts = sigmoid(X @ w["expert_kernel"] + w["expert_bias"]).reshape(6, 5, 3)
    near(layer(X), (gates * experts).sum(-1))


@pytest.mark.parametrize("dummy", [True, False])
def test_softmax_of_mixed_logits(dummy):
    layer, w = built(MixtureOfExperts(5, 3, dummy=dummy, softmax=True))
    gates = softmax((X @ w["gate_kernel"]).reshape(6, 5, 3 + dummy))[..., :3]
    logits = (X @ w["expert_kernel"] + w["expert_bias"]).reshape(6, 5, 3)
    near(layer(X), softmax((gates * logits).sum(-1)))


def test_mixture_of_experts_keeps_extreme_logits_finite():
    layer, _ = built(MixtureOfExperts(5, 2))
    assert np.isfinite(np.asarray(layer(X * 1e4))).all()
    layer, _ = built(MixtureOfExperts(5, 2, softmax=True))
    near(np.asarray(layer(X * 1e4)).sum(axis=1), np.ones(len(X)))


def test_logistic():
    layer, w = built(Logistic(5))
    near(layer(X), sigmoid(X @ w["kernel"] + w["bias"]))
    layer, w = built(Logistic(5, softmax=True))
    near(layer(X), softmax(X @ w["kernel"] + w["bias"]))


def test_penalties_are_half_squares():
    layer, w = built(MixtureOfExperts(5, 2, l2=0.1))
    expected = 0.05 * ((w["gate_kernel"] ** 2).sum() + (w["expert_kernel"] ** 2).sum())
    near(sum(layer.losses), expected)
    layer, w = built(Logistic(5, l2=0.1, bias_l2=0.1))
    near(sum(layer.losses), 0.05 * ((w["kernel"] ** 2).sum() + (w["bias"] ** 2).sum()))
    assert built(MixtureOfExperts(5, 2))[0].losses == []


def test_bad_arguments():
    with pytest.raises(UsageError, match="hidden must be divisible by reduction; got hidden=8, reduction=3"):
        SqueezeGate(reduction=3)(X)
    with pytest.raises(UsageError, match="mixtures must be at least 1; got mixtures=0"):
        MixtureOfExperts(5, 0)


def test_bfloat16_matmuls_leave_probabilities_in_float32():
    layer = MixtureOfExperts(5, 2)
    layer(X)
    half = MixtureOfExperts(5, 2)
    half.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    half(X)
    half.set_weights(layer.get_weights())
    assert half(X).dtype == "float32"
    near(half(X), layer(X), 0.02)
