"""Normalisations that stay affine in the bytes: the L2 norm of a frame and the BatchNorm of the input.

Shapes: B batch, T frames, D features.
"""

import keras
from keras import ops

from yt8m_kit.layers.frames import Frames
from yt8m_kit.layers.layer import Layer, Tensor

MOMENTUM = 0.999
EPSILON = 1e-3


def batch_norm(name: str | None = None) -> keras.layers.BatchNormalization:
    """BatchNormalization as the seeds set it (slim defaults: model_families, section 0), in float32."""
    return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, dtype="float32", name=name)


def unit(tensor: Tensor, axis: int | tuple[int, ...] = -1) -> Tensor:
    """The tensor divided by its L2 norm over axis; all zeros stay zeros."""
    squares = ops.sum(ops.square(tensor), axis=axis, keepdims=True)
    return tensor * ops.rsqrt(ops.maximum(squares, 1e-12))


class UnitFrames(Layer):
    """Frames -> Frames of L2 norm 1 over all features together (the starter's normalisation).

    Padding keeps the value 0. Wants frames whose shift is 0, as Sample makes them.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)

    def call(self, frames: Frames) -> Frames:
        values = ops.cast(frames.codes, "float32") * frames.scale + frames.offset
        squares = ops.sum(ops.square(values), axis=-1)
        return frames._replace(row=frames.row * ops.rsqrt(ops.maximum(squares, 1e-12)))


class InputNorm(Layer):
    """BatchNorm of the frames' features: Frames -> Frames, for only scale, offset and shift change.

    Moments are over all draws of all videos, or over real frames where there is padding. They come straight
    from the bytes and no weight has a part in them, so no gradient flows through them.
    Weights: gamma, beta, moving_mean, moving_variance, (D,) each. `momentum` is read when the graph is
    traced.
    """

    def __init__(self, momentum: float = MOMENTUM, epsilon: float = EPSILON, name: str | None = None) -> None:
        super().__init__(name)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, frames_shape: Frames) -> None:
        shape = (frames_shape.codes[-1],)
        self.gamma = self.weight("gamma", shape, "ones")
        self.beta = self.weight("beta", shape, "zeros")
        self.moving_mean = self.weight("moving_mean", shape, "zeros", trainable=False)
        self.moving_variance = self.weight("moving_variance", shape, "ones", trainable=False)

    def call(self, frames: Frames, training: bool = False) -> Frames:
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = moments(frames)
            update(self, mean, variance)
        gain = self.gamma * ops.rsqrt(variance + self.epsilon)
        shift = (frames.shift - mean) * gain + self.beta
        return frames._replace(scale=frames.scale * gain, offset=frames.offset * gain, shift=shift)


def moments(frames: Frames) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of every feature over frames that are not padding: (D,), (D,) float32."""
    batch, length = ops.shape(frames.codes)[0], frames.codes.shape[1]
    count = ops.sum(frames.mask) if frames.padded else ops.cast(batch * length, "float32")
    codes = ops.cast(frames.codes, "float32")
    row, square = frames.row, ops.square(frames.row)
    # value - shift = row * (code * scale + offset); its sums are sums of row * code, row^2 * code and row^2
    # * code^2.
    first_B2D = ops.matmul(ops.stack([row, square], axis=1), codes)
    second_B1D = ops.matmul(square[:, None, :], ops.square(codes))
    sums_2D, square_square = ops.sum(first_B2D, axis=0), ops.sum(second_B1D, axis=0)[0]
    row_code, square_code = sums_2D[0], sums_2D[1]
    mean = (frames.scale * row_code + frames.offset * ops.sum(row)) / count
    power = frames.scale**2 * square_square + 2.0 * frames.scale * frames.offset * square_code
    power = (power + frames.offset**2 * ops.sum(square)) / count
    return mean + frames.shift, ops.maximum(power - ops.square(mean), 0.0)


def update(layer: keras.layers.Layer, mean: Tensor, variance: Tensor) -> None:
    """For both statistics of the layer: moving = moving * momentum + batch * (1 - momentum)."""
    kept = layer.momentum
    layer.moving_mean.assign(layer.moving_mean * kept + mean * (1.0 - kept))
    layer.moving_variance.assign(layer.moving_variance * kept + variance * (1.0 - kept))
