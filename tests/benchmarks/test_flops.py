"""The operations that the share of training steps is of, against formulas and against XLA's own count."""

import pytest

from yt8m_kit import backend

if backend.chosen() != "tensorflow":
    pytest.skip("the steps that are counted are TensorFlow's", allow_module_level=True)
backend.start()

import tensorflow as tf  # noqa: E402

from benchmarks.harness import flops, steps  # noqa: E402

WIDTH = 1152  # of a frame


def test_a_gradient_has_twice_the_products_of_its_layer_but_the_first():
    x, first, second = (tf.Variable(tf.ones(shape)) for shape in ((5, 7), (7, 11), (11, 3)))

    @tf.function
    def step():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([first, second])
            loss = tf.reduce_sum(tf.nn.relu(x @ first) @ second)
        return loss, tape.gradient(loss, [first, second])

    assert flops.counted(step) == 2 * 5 * (2 * 7 * 11 + 3 * 11 * 3)


def test_every_turn_of_a_loop_counts():
    matrix = tf.ones((4, 4))

    @tf.function
    def power(turns):
        return tf.while_loop(lambda i, _: i < turns, lambda i, x: (i + 1, x @ matrix), (0, matrix))

    assert flops.counted(lambda: power(tf.constant(6))) == 6 * 2 * 4**3


def test_einsums_without_a_sum_are_no_products():
    x, y = tf.ones((2, 3, 5)), tf.ones((2, 5, 7))
    assert flops.counted(lambda: tf.einsum("abc,acd->abd", x, y)) == 2 * 2 * 3 * 5 * 7
    assert flops.counted(lambda: tf.einsum("abc,ad->abcd", x, x[:, 0])) == 0


def test_products_that_nothing_needs_are_left_out():
    x = tf.ones((4, 4))

    def work():
        tf.nn.relu(x @ x)
        return x @ x

    assert flops.counted(work) == 2 * 4**3


def test_a_depthwise_convolution_and_both_gradients():
    x, kernel = tf.Variable(tf.ones((2, 1, 7, 5))), tf.Variable(tf.ones((1, 3, 5, 1)))

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME"))
        return loss, tape.gradient(loss, [x, kernel])

    assert flops.counted(step) == 3 * 2 * (2 * 7 * 5) * 3


def test_an_unknown_product_is_an_error():
    with pytest.raises(AssertionError, match="Conv2D"):
        flops.counted(lambda: tf.nn.conv2d(tf.ones((1, 4, 4, 2)), tf.ones((2, 2, 2, 3)), 1, "SAME"))


def test_xla_counts_as_many():
    jax = pytest.importorskip("jax")
    x, y = tf.ones((8, 16, 32)), tf.ones((8, 32, 24))
    compiled = jax.jit(lambda x, y: jax.numpy.einsum("abc,acd->abd", x, y)).lower(x.numpy(), y.numpy())
    assert flops.counted(lambda: tf.matmul(x, y)) == compiled.compile().cost_analysis()["flops"]


def products_of(family, hyperparameters, batch, classes=20):
    """Operations of one step of a family."""
    job = steps.Job(family, hyperparameters, batch, frames=10, classes=classes, seconds=0)
    return flops.counted(steps.ready(**vars(job))[0])


def test_a_step_of_dbof():
    batch, draws, clusters, hidden, classes = 4, 3, 32, 16, 20
    found = products_of("dbof", {"clusters": clusters, "draws": draws, "hidden": hidden}, batch)
    experts = 2 * classes + 3 * classes  # two, their gates, and the gate of neither
    bag = 2 * 2 * batch * draws * WIDTH * clusters  # forward, and of the kernel; bytes have no gradient
    shift = 3 * 2 * WIDTH * clusters  # of the input's BatchNorm, through the kernel
    moments = 3 * 2 * batch * draws * WIDTH  # norms of frames, means and variances of features
    sums = 4 * 2 * batch * draws * clusters  # over frames, in BatchNorm: mean, variance, two in the gradient
    head = 3 * 2 * batch * (clusters * hidden + hidden * experts)
    assert found == bag + shift + moments + sums + head


def test_a_step_of_lstm():
    batch, frames, units, classes = 2, 10, 8, 20
    found = products_of("lstm", {"units": units, "layers": 1, "mixtures": None}, batch)
    gates = 4 * units
    inputs = 2 * 2 * batch * frames * WIDTH * gates
    shift = 2 * 2 * WIDTH * gates  # a constant here: no gradient of its own
    states = (3 * frames - 1) * 2 * batch * units * gates  # the first state needs no gradient
    norms = 2 * batch * frames * WIDTH
    assert found == inputs + shift + states + norms + 3 * 2 * batch * units * classes
