"""SavedModel of members, blend and sampling rounds, with weights stored as codes.

Shapes: B videos, T frames, D bytes of a frame, C classes.
"""

import dataclasses
import uuid
from pathlib import Path

import tensorflow as tf

from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.dataset import Dataset
from yt8m_kit.export.blended_graph import Part, mixed
from yt8m_kit.export.input_checks import checked
from yt8m_kit.export.record_input import parse
from yt8m_kit.machine.spinner import spinning
from yt8m_kit.metrics import TOP


class Decoded(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
    """A weight of `dtype` that is stored as codes and decoded once, when the graph is loaded.

    Only the codes are variables of the checkpoint; the float tensor is a resource that the loader
    initialises, so that running the graph costs what the float model costs.
    """

    def __init__(self, encoded: Encoded, dtype: str):
        super().__init__()
        self._dtype = tf.as_dtype(dtype)
        variables = {key: tf.Variable(a, trainable=False, name=key) for key, a in encoded.arrays.items()}
        self._stored = dataclasses.replace(encoded, arrays=variables)
        for key, variable in variables.items():
            self._track_trackable(variable, key)
        # Unique, so that two loaded graphs do not share a weight.
        self._shared_name = uuid.uuid4().hex

    def _create_resource(self) -> tf.Tensor:
        return tf.raw_ops.VarHandleOp(
            dtype=self._dtype, shape=self._stored.shape, shared_name=self._shared_name, container=""
        )

    def _initialize(self) -> None:
        value = tf.cast(decode(self._stored), self._dtype)
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=value)

    def read_value(self) -> tf.Tensor:
        """Read the decoded weight; same interface as tf.Variable."""
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=self._dtype)
        return tf.ensure_shape(value, self._stored.shape)


def _kept(encoded: Encoded, dtype: str) -> Decoded | tf.Variable:
    """Create the storage of a weight; one stored in its dtype needs no decoding and is a plain variable."""
    if encoded.format == dtype:
        return tf.Variable(encoded.arrays["codes"], trainable=False, name="codes")
    return Decoded(encoded, dtype)


def module_of(dataset: Dataset, parts: list[Part], rounds: int) -> tf.Module:
    """The blend as a module with three functions; only codes are tracked.

    probabilities: frames uint8 (B, T, D), num_frames int32 (B,) -> {"probabilities": float32 (B, C)}.
    top: the same -> {"labels": int32 (B, 20), "confidences": float32 (B, 20)}, descending.
    records: serialized SequenceExamples (B,) -> {"ids": string (B,)} and the outputs of top.

    All raise InvalidArgumentError for an empty batch and for num_frames below 1 or over T.
    """
    kept = [[_kept(encoded, part.dtype(encoded)) for _, encoded in part.weights] for part in parts]
    signature = [
        tf.TensorSpec((None, dataset.max_frames, dataset.width), tf.uint8, name="frames"),
        tf.TensorSpec((None,), tf.int32, name="num_frames"),
    ]

    # A separate function, so that the three signatures share one copy of the members' operations.
    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def mix(frames: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
        values = [[weight.read_value() for weight in member] for member in kept]
        frames, num_frames = checked(frames, num_frames)
        return mixed(parts, values, {"frames": frames, "num_frames": num_frames}, rounds)

    def probabilities(frames: tf.Tensor, num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": mix(frames, num_frames)}

    def top(frames: tf.Tensor, num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        confidences, labels = tf.math.top_k(mix(frames, num_frames), min(TOP, dataset.classes))
        return {"labels": labels, "confidences": confidences}

    def records(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, frames, num_frames = parse(serialized, dataset)
        return {"ids": ids} | top(frames, num_frames)

    module = tf.Module()
    module.weights = kept
    module.probabilities = tf.function(probabilities, input_signature=signature)
    module.top = tf.function(top, input_signature=signature)
    strings = tf.TensorSpec((None,), tf.string, name="serialized")
    module.records = tf.function(records, input_signature=[strings])
    return module


def write_saved_model(dataset: Dataset, parts: list[Part], rounds: int, folder: Path) -> None:
    """Write the blend to the folder, with signatures serving_default (probabilities), top and records."""
    module = module_of(dataset, parts, rounds)
    signatures = {
        "serving_default": module.probabilities,
        "top": module.top,
        "records": module.records,
    }
    with spinning("tracing and writing the graph"):
        tf.saved_model.save(module, str(folder), signatures=signatures)
