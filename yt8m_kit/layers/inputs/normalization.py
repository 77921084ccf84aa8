"""L2 norm of frames and input BatchNorm, both affine in the bytes; BatchNorm of projections.

Shapes: B batch, T frames, D features.
"""

from collections.abc import Sequence

import keras
from keras import ops

from yt8m_kit.layers.inputs.frame_norm import frame_shares, normalized
from yt8m_kit.layers.inputs.frames import Frames, centred, pieces
from yt8m_kit.layers.layer import Layer, Tensor

MOMENTUM = 0.999
EPSILON = 1e-3


def batch_norm(name: str | None = None) -> keras.layers.BatchNormalization:
    """Return BatchNormalization with TF-Slim's momentum and epsilon, in float32."""
    return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, dtype="float32", name=name)


def unit(tensor: Tensor, axis: int | tuple[int, ...] = -1) -> Tensor:
    """Divide a tensor by its L2 norm over axis; zeros stay zeros, the shape is kept."""
    squares = ops.sum(ops.square(tensor), axis=axis, keepdims=True)
    return tensor * ops.rsqrt(ops.maximum(squares, 1e-12))


class UnitFrames(Layer):
    """L2 normalization of frames over all features: Frames -> Frames (as in the 2018 starter code).

    Padding keeps the value 0. Requires frames whose shift is 0, as Sample and Segments return.
    widths: of the features, where later layers select them; none where they take whole frames. Bytes are
    converted with the same expression here, in moments() and in the matmuls, so that a graph does it once.
    """

    def __init__(self, widths: Sequence[int] = (), name: str | None = None) -> None:
        super().__init__(name)
        self.widths = widths

    def call(self, frames: Frames) -> Frames:
        scales = pieces(frames.scale, self.widths)
        squares = sum(
            ops.matmul(ops.square(codes), ops.square(scale))
            for codes, scale in zip(_floats(frames, self.widths, self.compute_dtype), scales)
        )
        return frames._replace(row=frames.row * ops.rsqrt(ops.maximum(squares, 1e-12)))


class Statistics(Layer):
    """Base of both BatchNorms: gamma, beta, moving_mean and moving_variance, (K,) float32 each.

    `momentum` is read when the graph is traced.
    """

    def __init__(self, momentum: float = MOMENTUM, epsilon: float = EPSILON, name: str | None = None) -> None:
        super().__init__(name)
        self.momentum = momentum
        self.epsilon = epsilon

    def add_vectors(self, width: int) -> None:
        """Create the four weights, (width,) each."""
        self.gamma = self.weight("gamma", (width,), "ones")
        self.beta = self.weight("beta", (width,), "zeros")
        self.moving_mean = self.weight("moving_mean", (width,), "zeros", trainable=False)
        self.moving_variance = self.weight("moving_variance", (width,), "ones", trainable=False)

    def update(self, mean: Tensor, variance: Tensor) -> None:
        """Update both moving statistics: moving * momentum + batch * (1 - momentum)."""
        kept = self.momentum
        self.moving_mean.assign(self.moving_mean * kept + mean * (1.0 - kept))
        self.moving_variance.assign(self.moving_variance * kept + variance * (1.0 - kept))


class BatchNorm(Statistics):
    """BatchNorm of projected frames: (B, T, K) float32 -> the same; padding is left out of the moments.

    constant: a vector (K,) that belongs to the inputs but is not added to them, as it only shifts the mean.
    mask: (B, T) or (B, 0), as in Frames; None if no frame is padding.
    """

    def build(self, width: int) -> None:
        self.add_vectors(width)

    def call(
        self,
        inputs: Tensor,
        constant: Tensor | float = 0.0,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        if training:
            # The constant cancels; its term gives the weights behind it their zero gradient.
            shares, beta = frame_shares(inputs, mask), self.beta + 0.0 * constant
            outputs, mean, variance = normalized(inputs, shares, self.gamma, beta, self.epsilon)
            self.update(mean + constant, variance)
            return outputs
        gain = self.gamma * ops.rsqrt(self.moving_variance + self.epsilon)
        return inputs * gain + (self.beta - (self.moving_mean - constant) * gain)


class InputNorm(Statistics):
    """BatchNorm of the input features: Frames -> Frames; only scale and shift change.

    Moments are over all sampled frames of the batch, or over real frames if there is padding. They depend on
    the bytes alone, not on weights, so no gradient flows through them. widths: see UnitFrames.
    """

    def __init__(self, widths: Sequence[int] = (), name: str | None = None) -> None:
        super().__init__(name=name)
        self.widths = widths

    def build(self, frames_shape: Frames) -> None:
        self.add_vectors(frames_shape.codes[-1])

    def call(self, frames: Frames, training: bool = False) -> Frames:
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = moments(frames, self.compute_dtype, self.widths)
            self.update(mean, variance)
        gain = self.gamma * ops.rsqrt(variance + self.epsilon)
        shift = (frames.shift - mean) * gain + self.beta
        return frames._replace(scale=frames.scale * gain, shift=shift)


def moments(frames: Frames, dtype: str = "float32", widths: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
    """Compute mean and biased variance of each feature over frames that are not padding: two (D,) float32.

    widths: see UnitFrames.
    """
    batch, length = ops.shape(frames.codes)[0], frames.codes.shape[1]
    count = ops.sum(frames.mask) if frames.padded else ops.cast(batch * length, "float32")
    count, row_B1T = ops.maximum(count, 1.0), frames.row[:, None, :]
    totals, powers = [], []
    for codes in _floats(frames, widths, dtype):
        totals.append(ops.sum(ops.matmul(row_B1T, codes), axis=(0, 1)))
        powers.append(ops.sum(ops.matmul(ops.square(row_B1T), ops.square(codes)), axis=(0, 1)))
    mean = frames.scale * ops.concatenate(totals) / count
    power = ops.square(frames.scale) * ops.concatenate(powers) / count
    return mean + frames.shift, ops.maximum(power - ops.square(mean), 0.0)


def _floats(frames: Frames, widths: Sequence[int], dtype: str) -> list[Tensor]:
    """Centred codes of each feature as float32, through dtype."""
    return [ops.cast(centred(codes, dtype), "float32") for codes in pieces(frames.codes, widths)]
