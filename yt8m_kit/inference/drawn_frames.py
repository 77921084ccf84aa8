"""Which frames a model's own sampling layer draws, and how many distinct ones are to be expected.

Shapes: B videos, S draws of a video.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from yt8m_kit.layers.inputs.sampling import Sample, Segments

Draw = Callable[[NDArray[np.int32], bool], NDArray[np.uint32]]
_NUMBER = np.dtype("<u4")  # of a frame, as the bytes of its features


def sampling_layer(model: keras.Model) -> Sample | Segments | None:
    """The layer that draws frames for a model; None for a model that sees all frames."""
    found = (layer for layer in model.layers if isinstance(layer, Sample | Segments))
    return next((layer for layer in found if not isinstance(layer, Sample) or layer.draws is not None), None)


def draws_of(layer: Sample | Segments, training: bool) -> int:
    """Frames that the layer draws of a video."""
    if isinstance(layer, Segments):
        return layer.counts[training]
    assert layer.draws is not None
    return layer.draws


def drawer(layer: Sample | Segments, max_frames: int) -> Draw:
    """A function from num_frames int32 (B,), 1 to max_frames, and `training` to frame numbers uint32 (B, S).

    It calls the layer on videos whose frames hold their own number as bytes. Calls for training continue the
    layer's sequence of random numbers, as steps do; the draws depend on a video's place among the B.
    """
    numbered_TD = np.arange(max_frames, dtype=_NUMBER).view(np.uint8).reshape(max_frames, _NUMBER.itemsize)

    def draw(num_frames: NDArray[np.int32], training: bool) -> NDArray[np.uint32]:
        frames = np.broadcast_to(numbered_TD, (len(num_frames), *numbered_TD.shape))
        codes = ops.convert_to_numpy(layer(frames, num_frames, training=training).codes)
        numbers: NDArray[np.uint32] = np.ascontiguousarray(codes).view(_NUMBER)[..., 0]
        return numbers

    return draw


def expected_share(layer: Sample | Segments, num_frames: int, training: bool) -> float:
    """The expected share of distinct frames among n = num_frames, over the uniforms of the draws.

    k draws with replacement: 1 - (1 - 1/n)^k. A sampling layer at prediction: 1 for n <= k. The middles of k
    segments: min(1, k/n). One draw from each of k equal segments: the mean over frames of the probability
    that some segment's draw hits the frame.
    """
    draws = draws_of(layer, training)
    if isinstance(layer, Segments):
        return _stratified(num_frames, draws) if training else min(1.0, draws / num_frames)
    if training:
        return float(1 - (1 - 1 / num_frames) ** draws)
    return 1.0 if num_frames <= draws else _stratified(num_frames, draws)


def _stratified(num_frames: int, segments: int) -> float:
    """Mean over frames of 1 minus the product over segments of the probability that the draw misses it."""
    edges = np.arange(segments + 1)[:, None] * (num_frames / segments)
    starts = np.arange(num_frames)
    overlap = np.minimum(edges[1:], starts + 1) - np.maximum(edges[:-1], starts)
    hit = np.clip(overlap * (segments / num_frames), 0, 1)
    return float((1 - np.prod(1 - hit, axis=0)).mean())
