"""Second moments of kernels' inputs, against the inputs of each layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.families import ROWS, TOY, build, videos
from yt8m_kit.layers.inputs.frames import Frames, floats
from yt8m_kit.quantization import input_moments


def found_in(row, wanted=None):
    model = build(row)
    inputs, _ = videos()
    paths = {variable.path for variable in model.variables} if wanted is None else wanted
    return model, input_moments.second_moments(model, TOY, inputs["frames"], inputs["num_frames"], paths)


def test_moments_are_those_of_the_layers_inputs():
    model, found = found_in("netvlad")
    inside = keras.Model(model.inputs, [model.get_layer("hidden").input, model.get_layer("experts").input])
    hidden, experts = inside(videos()[0], training=False)
    for path, x in (
        ("hidden/kernel", hidden),
        ("experts/gate_kernel", experts),
        ("experts/expert_kernel", experts),
    ):
        np.testing.assert_allclose(found[path], (np.transpose(x) @ np.asarray(x))[None], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("row", ["netvlad", "netvlad-masked"])
def test_frames_are_dequantized_without_the_shift(row):
    """Row * scale * (byte - zero): the input of an assignment's kernel; padding adds nothing."""
    model, found = found_in(row)
    inside = keras.Model(model.inputs, model.get_layer("input_norm").output)
    frames = Frames(*inside(videos()[0], training=False))
    values = np.asarray(floats(frames) - frames.shift)[:, :, :16].reshape(-1, 16)
    np.testing.assert_allclose(found["vlad_0/assignment/kernel"], [values.T @ values], rtol=1e-4, atol=1e-5)


def test_wide_inputs_are_cut_into_blocks(monkeypatch):
    monkeypatch.setattr(input_moments, "WHOLE", 10)
    monkeypatch.setattr(input_moments, "BLOCK", 8)
    x = np.random.default_rng(0).standard_normal((5, 19)).astype(np.float32)
    blocks = np.asarray(input_moments._products(tf.constant(x)))
    assert blocks.shape == (3, 8, 8)
    whole = x.T @ x
    for number in range(3):
        block = whole[number * 8 : number * 8 + 8, number * 8 : number * 8 + 8]
        np.testing.assert_allclose(blocks[number, : len(block), : len(block)], block, rtol=1e-5)
    assert not blocks[2, 3:].any()


LARGEST = ("expert_kernel", "gate_kernel", "hidden/kernel")


@pytest.mark.parametrize("row", ["dbof", "gru", "nextvlad", "soft_bof", "netfv", "tsn", "frame_logistic"])
def test_the_kernels_with_most_of_the_bytes_are_found(row):
    model, found = found_in(row)
    heads = [variable.path for variable in model.variables if variable.path.endswith(LARGEST)]
    assert set(heads) <= set(found)
    for path, blocks in found.items():
        inputs = next(v.shape[0] for v in model.variables if v.path == path)
        assert blocks.shape == (1, inputs, inputs)
        assert np.linalg.eigvalsh(blocks[0]).min() > -1e-3 * np.trace(blocks[0])
    assert row in ROWS


def test_a_recurrent_kernel_is_left_out():
    _, found = found_in("gru", {"gru_0/recurrent_kernel", "gru_0/kernel"})
    assert set(found) == {"gru_0/kernel"}
