"""Conversion of a blend to LiteRT operations, with its large weights as inputs: batch 1, built-in operations.

The converter would hold large constants many times over: it gets a graph without them. What depends on
weights alone, such as a kernel times the scale of a BatchNorm, is computed here, in float32.

Shapes: T frames, D bytes of a frame, C classes.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import LARGE
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.export.blended_graph import Part, mixed

INPUTS, OUTPUT = ("frames", "num_frames"), "probabilities"
SHAPE = "shape_of_"  # with the name of an input, the name of an input for its shape
WEIGHT = "weight_"  # with a number, the name of the input of a large weight


class Converted(NamedTuple):
    """A LiteRT model, a ModelT of the schema, and the values of its inputs named weight_0, weight_1, ...

    The inputs shape_of_frames and shape_of_num_frames are to be the shapes that are fed.
    """

    model: Any
    weights: list[NDArray[np.float32]]


class Traced(NamedTuple):
    """Graph of a blend whose weights are inputs, and the tensors of its frontier by member.

    The frontier: tensors that depend on weights alone, and that operations on frames take.
    """

    function: Any
    weights: list[list[tf.Tensor]]
    frontier: list[list[tf.Tensor]]


def converted(dataset: Dataset, parts: Sequence[Part], rounds: int) -> Converted:
    """Convert a blend.

    Inputs: frames uint8 (1, T, D), num_frames int32 (1,), and the weights. Output: float32 (1, C); NaN for a
    num_frames below 1 or over T and for inputs of other shapes, as no built-in operation raises an error.
    Raises KitError if an operation is not built in.
    """
    traced = _traced(dataset, parts, rounds)
    values = [value for number, part in enumerate(parts) for value in _values(traced, number, part)]
    ends = [tensor for member in traced.frontier for tensor in member]
    rest = traced.function.prune([*traced.function.inputs[: len(INPUTS)], *ends], traced.function.outputs)
    large = [value for value in values if value.size > LARGE]
    given = _signature(dataset)
    # A shape is an input: the converter would take one of the signature for granted.
    shapes = [tf.TensorSpec((len(spec.shape),), tf.int32, name=f"{SHAPE}{spec.name}") for spec in given]
    specs = [tf.TensorSpec(value.shape, tf.float32, name=f"{WEIGHT}{n}") for n, value in enumerate(large)]

    @tf.function(input_signature=[*given, *shapes, *specs])  # type: ignore[untyped-decorator]
    def blend(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        frames, num_frames, *fed = inputs[:4]
        left = iter(inputs[4:])
        inner = [next(left) if value.size > LARGE else tf.constant(value) for value in values]
        [found] = rest(frames, num_frames, *inner)
        is_valid = tf.reduce_all((num_frames > 0) & (num_frames <= dataset.max_frames))
        for spec, shape in zip(given, fed):
            is_valid &= tf.reduce_all(shape == list(spec.shape))
        return {OUTPUT: tf.where(is_valid, found, np.nan)}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([blend.get_concrete_function()], tf.Module())
    converter.experimental_lower_to_saved_model = False  # which custom gradients prevent
    try:
        return Converted(schema.ModelT.InitFromPackedBuf(converter.convert(), 0), large)
    except tf.errors.InvalidArgumentError as error:
        raise KitError(f"LiteRT lacks an operation of this blend: {str(error).splitlines()[0]}") from error


def _signature(dataset: Dataset) -> list[tf.TensorSpec]:
    shape = (1, dataset.max_frames, dataset.width)
    return [tf.TensorSpec(shape, tf.uint8, name=INPUTS[0]), tf.TensorSpec((1,), tf.int32, name=INPUTS[1])]


def _traced(dataset: Dataset, parts: Sequence[Part], rounds: int) -> Traced:
    """Trace a blend as a function of frames, num_frames and the float weights of its members."""
    sizes = [len(part.weights) for part in parts]

    def run(frames: tf.Tensor, num_frames: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        inputs = {"frames": frames, "num_frames": num_frames}
        return mixed(list(parts), _by_member(weights, sizes), inputs, rounds)

    specs = [tf.TensorSpec(encoded.shape, tf.float32) for part in parts for _, encoded in part.weights]
    function = tf.compat.v1.wrap_function(run, [*_signature(dataset), *specs])
    weights = _by_member(function.inputs[len(INPUTS) :], sizes)
    return Traced(function, weights, _frontier(function.graph, weights))


def _by_member(tensors: Sequence[tf.Tensor], sizes: Sequence[int]) -> list[list[tf.Tensor]]:
    left = iter(tensors)
    return [[next(left) for _ in range(size)] for size in sizes]


def _values(traced: Traced, number: int, part: Part) -> list[NDArray[np.float32]]:
    """Compute a member's tensors of the frontier."""
    weights, frontier = traced.weights[number], traced.frontier[number]
    arrays = [tf.constant(np.asarray(decode(encoded))) for _, encoded in part.weights]
    return [value.numpy() for value in traced.function.prune(weights, frontier)(*arrays)]


def _frontier(graph: tf.Graph, weights: Sequence[Sequence[tf.Tensor]]) -> list[list[tf.Tensor]]:
    """Find the frontier of each member. An operation that enlarges a weight is left to the model."""
    # The member whose weights a tensor depends on, None for constants; no entry for what depends on frames.
    static: dict[Any, int | None] = {t.ref(): n for n, member in enumerate(weights) for t in member}
    frontier: list[dict[Any, tf.Tensor]] = [{} for _ in weights]
    for operation in graph.get_operations():  # in topological order
        inputs = list(operation.inputs)
        members = {static[t.ref()] for t in inputs if t.ref() in static} - {None}
        all_static = all(t.ref() in static for t in inputs) and operation.type != "Placeholder"
        if all_static and len(members) < 2 and not _enlarges(operation, static):
            static.update((output.ref(), next(iter(members), None)) for output in operation.outputs)
            continue
        for tensor in inputs:
            member = static.get(tensor.ref())
            if member is not None:
                frontier[member][tensor.ref()] = tensor
    return [list(each.values()) for each in frontier]


def _enlarges(operation: tf.Operation, static: dict[Any, int | None]) -> bool:
    """Whether an output is large, and larger than the weights that it is computed from."""
    given = [_size(t) for t in operation.inputs if static[t.ref()] is not None]
    return bool(given) and any(_size(t) > max(LARGE, *given) for t in operation.outputs)


def _size(tensor: tf.Tensor) -> float:
    return math.prod(tensor.shape) if tensor.shape.is_fully_defined() else math.inf
