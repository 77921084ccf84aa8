"""For the benchmarks, nothing to run here: floating-point operations of products, counted while they run.

The work runs op by op, so that every shape is known, also those that depend on the videos, and every turn of
a loop is counted. A multiplication and its addition are two operations. Products are matrix products, einsums
with a sum over an index and depthwise convolutions, forward and backward; not those whose result nothing
needs, which a graph leaves out.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework import op_callbacks  # the only way to see the ops of gradients, too

MATRICES = ("MatMul", "BatchMatMulV2", "BatchMatMulV3")
DEPTHWISE = "DepthwiseConv2dNative"
UNKNOWN = re.compile("MatMul|Einsum|Conv|FusedRNN|LSTM|GRU")


class Op(NamedTuple):
    """Operations of an op, and the numbers of the tensors that it takes and gives."""

    flops: int
    inputs: set[int]
    outputs: set[int]


def counted(work: Callable[[], object]) -> int:
    """Operations of one call in TensorFlow; AssertionError for a product of a kind that is not known."""
    ops: list[Op] = []

    def see(kind: Any, inputs: Any, attributes: Any, outputs: Any, *_: Any, **__: Any) -> None:
        count = of_op(_text(kind), _shapes(inputs), _named(attributes), _shapes(outputs))
        ops.append(Op(count, _numbers(inputs), _numbers(outputs)))

    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(see)
    try:
        results = work()
    finally:
        op_callbacks.remove_op_callback(see)
        tf.config.run_functions_eagerly(False)
    return _of_used(ops, _numbers([each for each in tf.nest.flatten(results) if tf.is_tensor(each)]))


def _of_used(ops: Sequence[Op], results: set[int]) -> int:
    """Operations of those ops on which results or assignments, which have no outputs, depend."""
    total, needed = 0, set(results)
    for op in reversed(ops):
        if not op.outputs or op.outputs & needed:
            total += op.flops
            needed |= op.inputs
    return total


def of_op(kind: str, inputs: Sequence[Any], attributes: dict[str, Any], outputs: Sequence[Any]) -> int:
    """Operations of an op of these shapes; 0 for what is no product."""
    if kind in MATRICES:
        transposed = attributes.get("transpose_a") or attributes.get("adj_x")
        return 2 * math.prod(outputs[0]) * inputs[0][-2 if transposed else -1]
    if kind == "Einsum":
        return of_einsum(_text(attributes["equation"]), inputs)
    if kind.startswith(DEPTHWISE):
        return _of_depthwise(kind, inputs, outputs)
    assert not UNKNOWN.search(kind), kind
    return 0


def of_einsum(equation: str, inputs: Sequence[Any]) -> int:
    """Two for each combination of indices; none without a sum over an index."""
    taken, given = equation.split("->")
    sizes = {
        label: size for labels, shape in zip(taken.split(","), inputs) for label, size in zip(labels, shape)
    }
    return 2 * math.prod(sizes.values()) if set(sizes) - set(given) else 0


def _of_depthwise(kind: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """Of the convolution or one of its gradients, each: kernel positions for each value of the result."""
    if kind.endswith("BackpropFilter"):
        kernel, result = outputs[0], inputs[2]
    elif kind.endswith("BackpropInput"):
        kernel, result = inputs[1], inputs[2]
    else:
        kernel, result = inputs[1], outputs[0]
    return 2 * math.prod(result) * kernel[0] * kernel[1]


def _shapes(tensors: Any) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]


def _numbers(tensors: Any) -> set[int]:
    """Of tensors outside of graphs, each has its own."""
    return {tensor._id for tensor in tensors}


def _named(attributes: Any) -> dict[str, Any]:
    """Attributes come as names and values in turns."""
    return dict(zip(attributes[::2], attributes[1::2]))


def _text(word: str | bytes) -> str:
    return word if isinstance(word, str) else word.decode()
