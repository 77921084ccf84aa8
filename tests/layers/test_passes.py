"""Compiled passes over the bytes of frames: the numbers of the operations, and where they are compiled."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.reference import SMALL, all_frames, near, random_video
from yt8m_kit.layers import passes
from yt8m_kit.layers.inputs.frames import floats
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames


@pytest.fixture
def compiled(monkeypatch):
    """Names of the functions that were compiled, of batches of any size."""
    monkeypatch.setattr(passes, "LARGE", 1)
    names = []

    def compiler(function):
        names.append(function.__name__)
        return tf.function(function, jit_compile=True, autograph=False)

    with passes.compiled_passes(compiler):
        yield names


def normalized(dtype):
    """The values of frames after both normalizations in training, and the moving statistics."""
    keras.config.set_dtype_policy("mixed_bfloat16" if dtype == "bfloat16" else dtype)
    try:
        layers = UnitFrames(), InputNorm()
    finally:
        keras.config.set_dtype_policy("float32")
    frames = layers[0](all_frames(*random_video()))
    return [floats(layers[1](frames, training=True)), *layers[1].get_weights()]


def test_compiled_passes_give_the_numbers_of_the_operations(compiled):
    found = normalized("bfloat16")
    assert compiled == ["squares", "sums"]
    with passes.compiled_passes(None):
        expected = normalized("bfloat16")
    assert len(compiled) == 2
    for one, other in zip(found, expected):
        near(one, np.asarray(other), 1e-5)


def test_float32_and_small_batches_are_not_compiled(compiled, monkeypatch):
    normalized("float32")
    monkeypatch.setattr(passes, "LARGE", 1 + np.prod(random_video()[0].shape))
    normalized("bfloat16")
    assert not compiled


def test_an_unknown_number_of_videos_is_not_compiled(compiled):
    inputs = keras.Input((SMALL.max_frames, SMALL.width), dtype="uint8")
    assert passes.one_pass(lambda codes: codes, "bfloat16", inputs) is inputs
    assert not compiled
