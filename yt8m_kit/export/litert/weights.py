"""Weights of a LiteRT model: from inputs to constants, as 8-bit codes with a scale per output channel.

Kernels of fully connected and convolution operations become int8 codes, symmetric around 0, whose products
LiteRT computes with integers: it quantizes the other operand row by row as it runs. Other large weights
become float16.

Shapes: O output channels.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from yt8m_kit.export.litert.editing import Editor, Op, Type

Array = NDArray[Any]
LARGEST_CODE = 127
KERNELS = (Op.FULLY_CONNECTED, Op.CONV_2D)  # operations whose second input is a kernel, (O, ...)
FOLDED: dict[int, Callable[[Array, Array, Any], Array]] = {
    Op.TRANSPOSE: lambda array, axes, shape: array.transpose(axes),
    Op.RESHAPE: lambda array, axes, shape: array.reshape([int(size) for size in shape]),
}


def embed(model: Any, weights: Sequence[Array], prefix: str) -> None:
    """Make the inputs named prefix0, prefix1, ... of a ModelT constants of the given values."""
    graph = model.subgraphs[0]
    names = {int(index): graph.tensors[index].name.decode() for index in graph.inputs}
    known = {i: weights[int(n.removeprefix(prefix))] for i, n in names.items() if n.startswith(prefix)}
    graph.inputs = [index for index in names if index not in known]
    _embed(Editor(model), 0, known)


def _embed(editor: Editor, number: int, known: dict[int, Array]) -> None:
    """Replace the tensors of a subgraph whose values are known by constants, where operations take them."""
    graph = editor.model.subgraphs[number]
    place = _Place(editor, graph, [], {})
    for operation in graph.operators:
        operation.inputs = [int(index) for index in operation.inputs]
        code = editor.code(operation)
        if code in FOLDED and operation.inputs[0] in known:
            [output] = operation.outputs
            axes = editor.integers(graph, operation.inputs[1])
            known[int(output)] = FOLDED[code](known[operation.inputs[0]], axes, graph.tensors[output].shape)
            continue
        if code == Op.WHILE:
            _enter(editor, operation, known)
        for position, index in enumerate(operation.inputs):
            if index in known:
                operation.inputs[position] = _constant(place, operation, position, known[index])
        place.operators.append(operation)
    graph.operators = place.operators


def _enter(editor: Editor, loop: Any, known: dict[int, Array]) -> None:
    """Give the weights that a loop passes through, unchanged, to its body alone."""
    body, condition = (
        editor.model.subgraphs[number]
        for number in (loop.builtinOptions.bodySubgraphIndex, loop.builtinOptions.condSubgraphIndex)
    )
    inner = {
        position: known[index]
        for position, index in enumerate(loop.inputs)
        if index in known and body.inputs[position] == body.outputs[position]
    }
    weights = {int(body.inputs[position]): array for position, array in inner.items()}
    loop.inputs, loop.outputs = (_without(inner, each) for each in (loop.inputs, loop.outputs))
    body.inputs, body.outputs = (_without(inner, each) for each in (body.inputs, body.outputs))
    condition.inputs = _without(inner, condition.inputs)
    if weights:
        _embed(editor, loop.builtinOptions.bodySubgraphIndex, weights)


def _without(positions: dict[int, Array], indices: Sequence[int]) -> list[int]:
    return [int(index) for position, index in enumerate(indices) if position not in positions]


class _Place(NamedTuple):
    """A subgraph, its operations so far, and its constants of float16 numbers by the array's id."""

    editor: Editor
    graph: Any
    operators: list[Any]
    halves: dict[int, int]


def _constant(place: _Place, operation: Any, position: int, array: Array) -> int:
    """Return the tensor of a constant that an operation takes; a product with a matrix is made integer."""
    code = place.editor.code(operation)
    if code == Op.BATCH_MATMUL and position == 1 and array.ndim == 2:
        array = array if operation.builtinOptions.adjY else array.T
        _make_fully_connected(place, operation)
        code = Op.FULLY_CONNECTED
    if code in KERNELS and position == 1:
        return _codes(place, array)
    if id(array) not in place.halves:
        place.halves[id(array)] = _halves(place, array)
    return place.halves[id(array)]


def _make_fully_connected(place: _Place, operation: Any) -> None:
    """Turn a BATCH_MATMUL into the operation that has integer products."""
    if operation.builtinOptions.adjX:
        operation.inputs[0] = _transposed(place, operation.inputs[0])
    operation.opcodeIndex = place.editor.opcode(Op.FULLY_CONNECTED)
    operation.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operation.builtinOptions = schema.FullyConnectedOptionsT(keepNumDims=True)
    operation.inputs.append(-1)  # no bias


def _transposed(place: _Place, index: int) -> int:
    """Exchange the last two axes of a tensor; returns the new tensor."""
    given = place.graph.tensors[index]
    axes = list(range(len(given.shape)))
    axes[-2:] = axes[:-3:-1]
    order = place.editor.constant(place.graph, np.asarray(axes, np.int32), Type.INT32)
    output = place.editor.tensor(place.graph, [given.shape[axis] for axis in axes], given.type)
    place.operators.append(place.editor.operator(Op.TRANSPOSE, [index, order], output))
    return output


def _codes(place: _Place, array: Array) -> int:
    """Add a constant of int8 codes, (O, ...), with a scale for each output channel."""
    scale = np.abs(array.reshape(len(array), -1)).max(axis=1) / LARGEST_CODE
    scale[scale == 0] = 1
    codes = np.rint(array / scale.reshape(-1, *[1] * (array.ndim - 1))).astype(np.int8)
    zeros = np.zeros(len(scale), np.int64)
    quantization = schema.QuantizationParametersT(
        scale=scale.astype(np.float32), zeroPoint=zeros, quantizedDimension=0
    )
    return place.editor.constant(place.graph, codes, Type.INT8, quantization)


def _halves(place: _Place, array: Array) -> int:
    """Add a constant of float16 numbers, and an operation that makes them float32."""
    stored = place.editor.constant(place.graph, array.astype(np.float16), Type.FLOAT16)
    output = place.editor.tensor(place.graph, array.shape, Type.FLOAT32)
    place.operators.append(place.editor.operator(Op.DEQUANTIZE, [stored], output))
    return output
