"""Reference layers in numpy, and random videos."""

import numpy as np
from keras import ops

from yt8m_kit.dataset import Dataset
from yt8m_kit.layers.inputs.sampling import Sample

SMALL = Dataset("small", (("rgb", 12), ("audio", 5)), classes=7, max_frames=9)
COUNTS = np.array([1, 9, 4, 6], np.int32)


def random_video(dataset=SMALL, counts=COUNTS, seed=0):
    """Bytes (B, T, D) with garbage after num_frames, and num_frames."""
    shape = (len(counts), dataset.max_frames, dataset.width)
    codes = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return codes, np.asarray(counts, np.int32)


def dequantize(codes, counts):
    """(B, T, D) float64, 0 on padding, and the mask (B, T)."""
    mask = np.arange(codes.shape[1]) < counts[:, None]
    return (codes * (4 / 255) + (4 / 512 - 2)) * mask[..., None], mask.astype(float)


def unit(x, axis=-1):
    return x / np.sqrt(np.maximum((x**2).sum(axis=axis, keepdims=True), 1e-12))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def batch_norm(x, layer, mask=None, training=True):
    """BatchNorm of the last axis with the layer's own gamma and beta, padding left out of the moments."""
    gamma, beta, moving_mean, moving_variance = (np.asarray(w, np.float64) for w in layer.get_weights())
    rows = x.reshape(-1, x.shape[-1]) if mask is None else x[mask > 0]
    mean, variance = (rows.mean(0), rows.var(0)) if training else (moving_mean, moving_variance)
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


def scramble(layer, seed=1):
    """Random weights, so that no gamma is 1 and no beta 0."""
    rng = np.random.default_rng(seed)
    layer.set_weights([w + 0.3 * np.abs(rng.standard_normal(w.shape)) for w in layer.get_weights()])


def near(actual, expected, tolerance=1e-5):
    expected = np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(ops.convert_to_numpy(actual), expected, atol=tolerance * scale, rtol=0)


def all_frames(codes, counts):
    return Sample(draws=None)(codes, counts)
