"""Conversion of a blend to ONNX operations, with its weights as inputs, by tf2onnx.

Shapes: B videos, T frames, D bytes of a frame, C classes.
"""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.export.blended_graph import Part, mixed
from yt8m_kit.export.onnx.codes import as_bytes, with_arrays

OPSET = 18  # of ONNX 1.13, of December 2022, which all runtimes have by now
OUTPUT = "probabilities"
WEIGHT = "weight_"  # with a number, the name of the input of an array of a weight


class Converted(NamedTuple):
    """An ONNX model, a ModelProto, and the values of its inputs named weight_0, weight_1, ..."""

    model: Any
    arrays: dict[str, NDArray[Any]]


def converted(dataset: Dataset, parts: Sequence[Part], rounds: int) -> Converted:
    """Convert a blend.

    Inputs: frames uint8 (B, T, D), num_frames int32 (B,), and codes, scales and offsets of the weights, which
    the model decodes. Output: float32 (B, C); NaN for a video whose num_frames is below 1 or over T, as ONNX
    has no assertions. Raises KitError if an operation cannot be converted.
    """
    stored = [[as_bytes(encoded) for _, encoded in part.weights] for part in parts]
    flat = [array for member in stored for encoded in member for array in encoded.arrays.values()]
    arrays = {f"{WEIGHT}{number}": np.asarray(array) for number, array in enumerate(flat)}
    specs = [
        tf.TensorSpec((None, dataset.max_frames, dataset.width), tf.uint8, name="frames"),
        tf.TensorSpec((None,), tf.int32, name="num_frames"),
        *(tf.TensorSpec(array.shape, array.dtype, name=name) for name, array in arrays.items()),
    ]

    @tf.function(input_signature=specs)  # type: ignore[untyped-decorator]
    def blend(frames: tf.Tensor, num_frames: tf.Tensor, *given: tf.Tensor) -> dict[str, tf.Tensor]:
        values = _decoded(stored, given)
        found = mixed(list(parts), values, {"frames": frames, "num_frames": num_frames}, rounds)
        is_valid = (num_frames > 0) & (num_frames <= dataset.max_frames)
        return {OUTPUT: tf.where(is_valid[:, None], found, np.nan)}

    return Converted(_model(blend, specs), arrays)


def _model(function: Any, specs: Sequence[tf.TensorSpec]) -> Any:
    """Convert a function; tf2onnx logs what it cannot convert, and may go on, to a model that is none."""
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    try:
        model, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=OPSET)
        onnx.checker.check_model(model, full_check=True)
    except (ValueError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        said = str(error).strip().splitlines()[0]
        raise KitError(f"tf2onnx does not convert an operation of this blend: {said}") from error
    return model


def _decoded(stored: Sequence[Sequence[Encoded]], given: Sequence[tf.Tensor]) -> list[list[tf.Tensor]]:
    """Decode the weights of each member from its arrays, in order, by operations of the graph."""
    left = iter(given)
    return [[decode(with_arrays(encoded, left)) for encoded in member] for member in stored]
