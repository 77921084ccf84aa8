"""BatchNorm over the frames of a batch, with a gradient of its own.

TensorFlow's gradient goes over (B, T, K) once for each step of the formula and each of its broadcasts; this
one takes half as many passes. With shares w of the frames, which add up to 1, and gain = gamma / deviation:

    mean = sum w x,  variance = sum w d^2,  y = gain d + beta  with d = x - mean
    dL/dx = gain (dL/dy - w (sum dL/dy + d / deviation^2 sum(d dL/dy)))

Shapes: B batch, T frames, K features. Source: Ioffe, Szegedy, "Batch normalization" (2015), section 3.
"""

import keras
from keras import ops

from yt8m_kit.layers.layer import Tensor


def normalized(
    inputs_BTK: Tensor, shares_BT: Tensor, gamma_K: Tensor, beta_K: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize over all frames: (B, T, K) float32, mean and biased variance (K,), which pass no gradient on.

    shares: of each frame in mean and variance, 0 for padding, whose output is undefined.
    """
    if keras.backend.backend() == "jax":  # which fuses the passes by itself
        return plain(inputs_BTK, shares_BT, gamma_K, beta_K, epsilon)

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def forward(inputs: Tensor, shares: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        mean = over_frames(shares, inputs)
        centred = inputs - mean
        variance = over_frames(shares, ops.square(centred))
        deviation = ops.rsqrt(variance + epsilon)

        def backward(*upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            ones = ops.ones_like(shares)
            total, product = over_frames(ones, upstream[0]), over_frames(ones, upstream[0] * centred)
            gain = gamma * deviation
            common = centred * (gain * ops.square(deviation) * product) + gain * total
            change = upstream[0] * gain - common * shares[:, :, None]
            return change, ops.zeros_like(shares), deviation * product, total

        return (centred * (gamma * deviation) + beta, mean, variance), backward

    # A variable would have to be named to TensorFlow; a sum is none.
    outputs, mean, variance = forward(inputs_BTK, shares_BT, gamma_K + 0.0, beta_K + 0.0)
    return outputs, mean, variance


def plain(
    inputs_BTK: Tensor, shares_BT: Tensor, gamma_K: Tensor, beta_K: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute what `normalized` does, with the backend's gradient."""
    shares_BT1 = shares_BT[:, :, None]
    mean = ops.sum(inputs_BTK * shares_BT1, axis=(0, 1))
    centred = inputs_BTK - mean
    variance = ops.sum(ops.square(centred) * shares_BT1, axis=(0, 1))
    return centred * (gamma_K * ops.rsqrt(variance + epsilon)) + beta_K, mean, variance


def over_frames(shares_BT: Tensor, tensor_BTK: Tensor) -> Tensor:
    """Sum share * tensor over all frames, as a product: (B, T) and (B, T, K) -> (K,)."""
    rows = ops.reshape(tensor_BTK, (-1, tensor_BTK.shape[2]))
    return ops.matmul(ops.reshape(shares_BT, (1, -1)), rows)[0]


def frame_shares(inputs_BTK: Tensor, mask: Tensor | None) -> Tensor:
    """Equal shares of all frames that are not padding: (B, T) float32. mask: (B, T); None or (B, 0): all."""
    if mask is None or not mask.shape[1]:
        mask = ops.ones(ops.shape(inputs_BTK)[:2])
    return mask / ops.maximum(ops.sum(mask), 1.0)
