"""Maximum over frames: values against numpy, gradients of equal frames and as XLA compiles them."""

import subprocess
import sys

import numpy as np
import pytest
from keras import ops

from tests.support.two_processes import environment
from yt8m_kit.layers.maximum import maximum

VALUES = np.random.default_rng(0).normal(size=(5, 12, 16)).astype(np.float32)
COMPILED = """
import jax, numpy as np
from keras import ops
from yt8m_kit.layers.maximum import maximum
draw = np.random.default_rng(0).normal
frames, scale = draw(size=(5, 12, 24)).astype("float32"), draw(size=16).astype("float32")
kernel = draw(size=(24, 16)).astype("float32")
form = lambda kernel: ops.matmul(frames, kernel) * scale + 0.3 * scale
gradient = jax.jit(jax.grad(lambda kernel: ops.sum(maximum(form(kernel)))))
values = frames @ kernel * scale + 0.3 * scale
first = np.take_along_axis(frames, values.argmax(1)[:, :, None], axis=1)
np.testing.assert_allclose(gradient(kernel), (first * scale[:, None]).sum(0).T, rtol=1e-4, atol=1e-4)
same = jax.grad(lambda values: ops.sum(maximum(values)))(np.ones((2, 3, 4), np.float32))
np.testing.assert_array_equal(same, np.eye(3)[0][None, :, None] * np.ones((2, 3, 4)))
"""


def test_values():
    np.testing.assert_array_equal(ops.convert_to_numpy(maximum(VALUES)), VALUES.max(axis=1))


def test_frames_with_the_same_maximum_share_the_gradient():
    tf = pytest.importorskip("tensorflow")
    values = tf.constant(np.ones((2, 3, 4), np.float32))
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = maximum(values)
    np.testing.assert_allclose(tape.gradient(found, values), np.full((2, 3, 4), 1 / 3), rtol=1e-6)


def test_the_gradient_compiled_by_jax():
    """XLA rounds the values it compares in another way than those of which it took the maximum."""
    pytest.importorskip("jax")
    own = environment(PYTHONPATH=":".join(sys.path), JAX_DISABLE_MOST_OPTIMIZATIONS="1")
    subprocess.run([sys.executable, "-c", COMPILED], check=True, env=own)
