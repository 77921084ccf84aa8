"""The optimiser against Keras' own Adam, plain and compiled."""

import keras
import numpy as np
import pytest

from yt8m_kit.recipe import Member
from yt8m_kit.training.optimizer import LARGE, ClippedAdam, Length, optimizer_of

SHAPES = [(3,), (LARGE // 64, 64), (40, 50)]  # only the second is large enough to be compiled


def after(optimizer, gradients_of_steps, compile_update):
    tf = pytest.importorskip("tensorflow")
    variables = [keras.Variable(np.full(shape, 0.5, np.float32)) for shape in SHAPES]
    optimizer.build(variables)

    @tf.function
    def update(gradients):
        optimizer.apply(gradients, variables)

    if compile_update:
        optimizer.compiler = lambda function: tf.function(function, jit_compile=True, autograph=False)
    for gradients in gradients_of_steps:
        update([tf.constant(gradient) for gradient in gradients])
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("compile_update", [False, True])
@pytest.mark.parametrize("accumulate", [None, 2])
def test_updates_match_keras_adam(compile_update, accumulate):
    rng = np.random.default_rng(0)
    # Norms far above and far below the limit, and zero.
    sizes = [0.0, 1e-4, 1.0, 30.0, 1e-3, 5.0]
    steps = [[(size * rng.normal(size=shape)).astype(np.float32) for shape in SHAPES] for size in sizes]
    settings = {"epsilon": 1e-8, "gradient_accumulation_steps": accumulate}
    expected = after(keras.optimizers.Adam(0.01, clipnorm=0.7, **settings), steps, False)
    found = after(ClippedAdam(0.01, clip_norm=0.7, **settings), steps, compile_update)
    for ours, theirs in zip(found, expected):
        assert abs(theirs - 0.5).max() > 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("compile_update", [False, True])
def test_the_norm_of_a_large_gradient_is_exact(compile_update):
    """A naive float32 sum of 16 million squares is off by a percent."""
    tf = pytest.importorskip("tensorflow")
    variable = keras.Variable(np.zeros((4096, 4096), np.float32))
    optimizer = ClippedAdam(0.01, clip_norm=1.0, epsilon=1e-8)
    optimizer.build([variable])
    if compile_update:
        optimizer.compiler = lambda function: tf.function(function, jit_compile=True, autograph=False)
    gradient = tf.fill(variable.shape, 0.01)
    tf.function(lambda: optimizer.apply([gradient], [variable]))()
    momentum = next(v for v in optimizer.variables if "momentum" in v.path)
    norm = 0.01 * 4096
    np.testing.assert_allclose(momentum.numpy(), (1 - optimizer.beta_1) * 0.01 / norm, rtol=1e-4)


def test_optimizer_uses_the_members_settings():
    member = Member("netvlad", steps=1, batch_size=50, decay_examples=100, decay=0.5, clip_norm=0.3)
    optimizer = optimizer_of(member, 0.08)
    assert optimizer.clip_norm == 0.3
    rates = [float(optimizer._learning_rate(step)) for step in range(5)]
    np.testing.assert_allclose(rates, [0.08, 0.08, 0.04, 0.04, 0.02], rtol=1e-6)


def rates(member, rate, length, updates):
    """Learning rates of the first updates; each batch of an accumulated update has the same one."""
    schedule = optimizer_of(member, rate, length)._learning_rate
    found = np.array([float(schedule(step)) for step in range(updates * member.accumulate)])
    parts = found.reshape(updates, member.accumulate)
    np.testing.assert_array_equal(parts, parts[:, :1] * np.ones_like(parts))
    return parts[:, 0]


@pytest.mark.parametrize("accumulate", [1, 5])
def test_a_staircase_counts_the_examples_of_updates(accumulate):
    member = Member("netvlad", steps=6, batch_size=50, decay_examples=100, decay=0.5, accumulate=accumulate)
    np.testing.assert_allclose(rates(member, 1.0, None, 6), [1, 1, 0.5, 0.5, 0.25, 0.25], rtol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_rate_is_divided_by_ten_at_epochs(accumulate):
    """10 updates in four epochs; epoch 1.5 begins within the fourth one, and the fifth is the first after."""
    member = Member("netvlad", epochs=4, batch_size=8, steps_down=(1.5, 2.0), accumulate=accumulate)
    found = rates(member, 0.1, Length(10, 2.5), 10)
    np.testing.assert_allclose(found, [0.1] * 4 + [0.01] + [0.001] * 5, rtol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_cosine_after_a_linear_warm_up(accumulate):
    member = Member("netvlad", epochs=4, schedule="cosine", warm_up=1.0, batch_size=8, accumulate=accumulate)
    found = rates(member, 0.1, Length(20, 5.0), 20)
    np.testing.assert_allclose(found[:5], 0.1 * np.arange(1, 6) / 5, rtol=1e-6)
    np.testing.assert_allclose(found[5:], 0.05 * (1 + np.cos(np.pi * np.arange(15) / 15)), rtol=1e-5)


def test_a_staircase_after_a_warm_up():
    member = Member("netvlad", steps=9, batch_size=50, decay_examples=150, decay=0.5, warm_up=0.5)
    found = rates(member, 0.1, Length(9, 4.0), 9)
    np.testing.assert_allclose(found, [0.05, 0.1, 0.1, *[0.05] * 3, *[0.025] * 3], rtol=1e-6)


def test_a_second_stage_does_not_count_the_epochs_of_the_first():
    member = Member("netvlad", epochs=4, steps_down=(1.0,))
    assert float(optimizer_of(member, 0.01).learning_rate) == pytest.approx(0.01)
