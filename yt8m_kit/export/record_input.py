"""Parse serialized SequenceExamples to frames with graph operations.

For serving: the kit itself reads records without TensorFlow (yt8m_kit.data), which is faster.

Shapes: B videos, T frames, D bytes of a frame.
"""

import tensorflow as tf

from yt8m_kit.dataset import Dataset


def parse(serialized: tf.Tensor, dataset: Dataset) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Records string (B,) -> ids string (B,), frames uint8 (B, T, D) zero padded, num_frames int32 (B,).

    The id is the first of the data set's keys that is present. Frames beyond T are dropped. The graph raises
    InvalidArgumentError for malformed records, missing features, frames of a wrong width, and features that
    differ in their number of frames.
    """
    names = [name for name, _ in dataset.features]
    context, frames, lengths = tf.io.parse_sequence_example(
        serialized,
        context_features={key: tf.io.FixedLenFeature([], tf.string, "") for key in dataset.id_keys},
        sequence_features={name: tf.io.FixedLenSequenceFeature([], tf.string) for name in names},
    )
    parts = [_bytes(name, frames[name], lengths[name], width, dataset) for name, width in dataset.features]
    num_frames_B = lengths[names[0]]
    agree = [
        tf.debugging.assert_equal(
            lengths[name], num_frames_B, f"{names[0]} and {name} must have one frame each a second."
        )
        for name in names[1:]
    ]
    with tf.control_dependencies(agree):
        num_frames_B = tf.cast(tf.minimum(num_frames_B, dataset.max_frames), tf.int32)
    return _first([context[key] for key in dataset.id_keys]), tf.concat(parts, axis=2), num_frames_B


def _bytes(name: str, strings_BN: tf.Tensor, lengths_B: tf.Tensor, width: int, dataset: Dataset) -> tf.Tensor:
    """Decode frames: strings, padded to the longest video -> uint8 (B, T, width)."""
    length = dataset.max_frames
    strings_BT = strings_BN[:, :length]
    real_BT = tf.sequence_mask(tf.minimum(lengths_B, length), tf.shape(strings_BT)[1])
    wrong = tf.boolean_mask(tf.strings.length(strings_BT), real_BT)
    with tf.control_dependencies(
        [tf.debugging.assert_equal(wrong, width, f"{name} frames must have {width} bytes.")]
    ):
        strings_BT = tf.pad(strings_BT, [[0, 0], [0, length - tf.shape(strings_BT)[1]]])
    # Padding strings are empty: they become zeros.
    bytes_BTD = tf.io.decode_raw(strings_BT, tf.uint8, fixed_length=width)
    return tf.ensure_shape(bytes_BTD, (None, length, width))


def _first(candidates: list[tf.Tensor]) -> tf.Tensor:
    """The first non-empty string, element by element."""
    chosen = candidates[-1]
    for candidate in reversed(candidates[:-1]):
        chosen = tf.where(candidate == "", chosen, candidate)
    return chosen
