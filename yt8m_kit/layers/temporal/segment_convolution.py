"""StNet's temporal convolutions over the segments of a video.

Shapes: B batch, S segments, D features, H width of the block.
Source: He et al., "StNet: local and global spatial-temporal modeling for action recognition" (2019), and its
code.
"""

import keras

from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.layer import Tensor
from yt8m_kit.layers.maximum import maximum


def temporal_residual(frames: Tensor) -> Tensor:
    """Apply x + BN(relu(convolution over three segments)): (B, S, D) -> (B, S, D)."""
    options = {"padding": "same", "kernel_initializer": "he_normal", "name": "residual"}
    change = keras.layers.Conv1D(frames.shape[-1], 3, activation="relu", **options)(frames)
    return frames + batch_norm("residual_norm")(change)


def temporal_xception(frames: Tensor, width: int) -> Tensor:
    """Apply the temporal Xception block and the maximum over segments: (B, S, D) -> (B, H), H = width."""
    start = batch_norm("xception_norm_0")(frames)
    long = _separable(start, width, "0")
    long = _separable(keras.layers.ReLU(name="relu_0")(batch_norm("xception_norm_1")(long)), width, "1")
    total = long + _pointwise(width, "shortcut")(start)
    active = keras.layers.ReLU(name="relu_1")(batch_norm("xception_norm_2")(total))
    return maximum(active)


def _separable(frames: Tensor, width: int, name: str) -> Tensor:
    depthwise = keras.layers.DepthwiseConv1D(
        3, padding="same", depthwise_initializer="he_normal", name=f"depthwise_{name}"
    )
    return _pointwise(width, f"pointwise_{name}")(depthwise(frames))


def _pointwise(width: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(width, kernel_initializer="he_normal", name=name)
