"""A member as a LiteRT model whose large weights are inputs: batch 1, built-in operations only.

The converter would hold constants many times over, as attributes of its own: it gets a graph without them.
What depends on weights alone is computed here, in float32.

Shapes: T frames, D bytes of a frame, C classes.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import LARGE
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.export.blended_graph import Part
from yt8m_kit.layers.inputs.sampling import average_rounds

INPUTS, OUTPUT = ("frames", "num_frames"), "probabilities"
WEIGHT = "weight_"  # with a number, the name of the input of a large weight


class Converted(NamedTuple):
    """A LiteRT model, a ModelT of the schema, and the values of its inputs named weight_0, weight_1, ..."""

    model: Any
    weights: list[NDArray[np.float32]]


def converted(dataset: Dataset, part: Part, rounds: int) -> Converted:
    """Convert a member, its output multiplied by its share.

    Inputs: frames uint8 (1, T, D), num_frames int32 (1,), and the weights. Output: float32 (1, C); NaN for a
    num_frames below 1 or over T, as no built-in operation raises an error. Raises KitError if an operation is
    not built in.
    """
    whole = _traced(dataset, part, rounds)
    given = whole.inputs[len(INPUTS) :]
    frontier = _frontier(whole.graph, given)
    arrays = [np.asarray(decode(encoded)) for _, encoded in part.weights]
    values = [value.numpy() for value in whole.prune(given, frontier)(*map(tf.constant, arrays))]
    rest = whole.prune([*whole.inputs[: len(INPUTS)], *frontier], whole.outputs)
    large = [value for value in values if value.size > LARGE]
    names = [f"{WEIGHT}{number}" for number in range(len(large))]
    specs = [tf.TensorSpec(value.shape, tf.float32, name=name) for value, name in zip(large, names)]

    @tf.function(input_signature=[*_signature(dataset), *specs])  # type: ignore[untyped-decorator]
    def share_of(frames: tf.Tensor, num_frames: tf.Tensor, *weights: tf.Tensor) -> dict[str, tf.Tensor]:
        left = iter(weights)
        inner = [next(left) if value.size > LARGE else tf.constant(value) for value in values]
        [found] = rest(frames, num_frames, *inner)
        is_valid = (num_frames > 0) & (num_frames <= dataset.max_frames)
        return {OUTPUT: part.share * tf.where(is_valid[:, None], found, np.nan)}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([share_of.get_concrete_function()], tf.Module())
    try:
        return Converted(schema.ModelT.InitFromPackedBuf(converter.convert(), 0), large)
    except tf.errors.InvalidArgumentError as error:
        raise KitError(f"cannot convert {part.model.name} to LiteRT: {str(error).splitlines()[0]}") from error


def _signature(dataset: Dataset) -> list[tf.TensorSpec]:
    shape = (1, dataset.max_frames, dataset.width)
    return [tf.TensorSpec(shape, tf.uint8, name=INPUTS[0]), tf.TensorSpec((1,), tf.int32, name=INPUTS[1])]


def _traced(dataset: Dataset, part: Part, rounds: int) -> Any:
    """Trace a member as a function of frames, num_frames and its float weights."""

    def run(frames: tf.Tensor, num_frames: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        mapping = [(variable, weight) for (variable, _), weight in zip(part.weights, weights)]
        with keras.StatelessScope(state_mapping=mapping):
            return average_rounds(part.model, {"frames": frames, "num_frames": num_frames}, rounds)

    specs = [tf.TensorSpec(encoded.shape, tf.float32) for _, encoded in part.weights]
    return tf.compat.v1.wrap_function(run, [*_signature(dataset), *specs])


def _frontier(graph: tf.Graph, weights: Iterable[tf.Tensor]) -> list[tf.Tensor]:
    """Tensors that depend on weights alone and that others, which depend on frames, are computed from."""
    static = {weight.ref() for weight in weights}
    frontier: dict[Any, tf.Tensor] = {}
    for operation in graph.get_operations():  # in topological order
        known = [tensor.ref() in static for tensor in operation.inputs]
        if any(known) and all(each or _is_constant(t) for each, t in zip(known, operation.inputs)):
            static.update(output.ref() for output in operation.outputs)
        else:
            frontier |= {t.ref(): t for each, t in zip(known, operation.inputs) if each}
    return list(frontier.values())


def _is_constant(tensor: tf.Tensor) -> bool:
    return bool(tensor.op.type == "Const")
