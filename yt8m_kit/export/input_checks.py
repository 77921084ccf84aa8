"""Assertions on a graph's inputs, checked whenever it runs.

Shapes: B videos, T frames, D features of a frame.
"""

import tensorflow as tf

from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE

LARGEST = 255 * DEQUANTIZE_SCALE + DEQUANTIZE_OFFSET  # of a dequantized byte; the smallest is the offset
ROUNDING = 1e-4


def checked(frames: tf.Tensor, num_frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return frames (B, T, D) and num_frames int32 (B,) behind assertions.

    The graph raises InvalidArgumentError for frames of another shape than their static one, an empty batch,
    another number of videos in num_frames than in frames, and a num_frames below 1 or over T.
    """
    # TensorFlow's rewriter takes static shapes for granted, even where others are fed: too many frames would
    # be misread in silence. It does not look through this operation.
    given = tf.raw_ops.PlaceholderWithDefault(input=frames, shape=(None, None, None))
    shape, wanted = tf.shape(given), [-1 if size is None else size for size in frames.shape[1:]]
    fits = tf.reduce_all(tf.equal(shape[1:], wanted) | tf.equal(wanted, -1))
    expected = ", ".join("any" if size < 0 else str(size) for size in wanted)
    checks = [
        tf.debugging.Assert(fits, [f"frames must have the shape (videos, {expected}); got", shape]),
        tf.debugging.assert_positive(shape[0], "frames hold no video: a batch needs at least one."),
        tf.debugging.assert_equal(
            tf.size(num_frames), shape[0], "frames and num_frames must have the same number of videos."
        ),
        tf.debugging.assert_positive(num_frames, "num_frames must be at least 1."),
        tf.debugging.assert_less_equal(
            num_frames, shape[1], "num_frames must be at most the number of frames that are given."
        ),
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.ensure_shape(given, frames.shape), tf.identity(num_frames)


def checked_floats(raw: tf.Tensor) -> tf.Tensor:
    """Return dequantized frames (B, T, D) float32 behind an assertion that bytes may have become them."""
    message = f"frames must be dequantized, from {DEQUANTIZE_OFFSET:.4f} to {LARGEST:.4f}."
    with tf.control_dependencies(
        [
            tf.debugging.assert_greater_equal(tf.reduce_min(raw), DEQUANTIZE_OFFSET - ROUNDING, message),
            tf.debugging.assert_less_equal(tf.reduce_max(raw), LARGEST + ROUNDING, message),
        ]
    ):
        return tf.identity(raw)
