"""Weights of a LiteRT model: from inputs to constants, as codes with a scale per output channel.

Kernels of fully connected and convolution operations become codes of 8 or 4 bits, symmetric around 0, whose
products LiteRT computes with integers: it quantizes the other operand row by row as it runs. Other large
weights become float16.

Shapes: O output channels, I inputs.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from yt8m_kit.export.litert.editing import Editor, Op, Type

Array = NDArray[Any]
TILE = 2**18  # weights rounded at a time: they fit into the cache
# Ranges to try, as shares of the largest weight: clipping pays with few codes.
SHARES = {8: (1.0,), 4: (1.0, 0.9, 0.8, 0.7, 0.6)}
KERNELS = (Op.FULLY_CONNECTED, Op.CONV_2D)  # operations whose second input is a kernel, (O, ...)
FOLDED: dict[int, Callable[[Array, Array, Any], Array]] = {
    Op.TRANSPOSE: lambda array, axes, shape: array.transpose(axes),
    Op.RESHAPE: lambda array, axes, shape: array.reshape([int(size) for size in shape]),
}


def embed(model: Any, weights: Sequence[Array], prefix: str, bits: int) -> None:
    """Make the inputs named prefix0, prefix1, ... of a ModelT constants of the given values.

    bits: of a code, 8 or 4. Kernels of convolutions, and those with an odd number of inputs, have 8.
    """
    graph = model.subgraphs[0]
    names = {int(index): graph.tensors[index].name.decode() for index in graph.inputs}
    known = {i: weights[int(n.removeprefix(prefix))] for i, n in names.items() if n.startswith(prefix)}
    graph.inputs = [index for index in names if index not in known]
    _embed(Editor(model), 0, known, bits)


def _embed(editor: Editor, number: int, known: dict[int, Array], bits: int) -> None:
    """Replace the tensors of a subgraph whose values are known by constants, where operations take them."""
    graph = editor.model.subgraphs[number]
    place = _Place(editor, graph, [], {}, bits)
    for operation in graph.operators:
        operation.inputs = [int(index) for index in operation.inputs]
        code = editor.code(operation)
        if code in FOLDED and operation.inputs[0] in known:
            [output] = operation.outputs
            axes = editor.integers(graph, operation.inputs[1])
            known[int(output)] = FOLDED[code](known[operation.inputs[0]], axes, graph.tensors[output].shape)
            continue
        if code == Op.WHILE:
            _enter(editor, operation, known, bits)
        for position, index in enumerate(operation.inputs):
            if index in known:
                operation.inputs[position] = _constant(place, operation, position, known[index])
        place.operators.append(operation)
    graph.operators = place.operators


def _enter(editor: Editor, loop: Any, known: dict[int, Array], bits: int) -> None:
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
        _embed(editor, loop.builtinOptions.bodySubgraphIndex, weights, bits)


def _without(positions: dict[int, Array], indices: Sequence[int]) -> list[int]:
    return [int(index) for position, index in enumerate(indices) if position not in positions]


class _Place(NamedTuple):
    """A subgraph, its operations so far, its float16 constants by the array's id, and the bits of codes."""

    editor: Editor
    graph: Any
    operators: list[Any]
    halves: dict[int, int]
    bits: int


def _constant(place: _Place, operation: Any, position: int, array: Array) -> int:
    """Return the tensor of a constant that an operation takes; a product with a matrix is made integer."""
    code = place.editor.code(operation)
    if code == Op.BATCH_MATMUL and position == 1 and array.ndim == 2:
        array = array if operation.builtinOptions.adjY else array.T
        _make_fully_connected(place, operation)
        code = Op.FULLY_CONNECTED
    if code in KERNELS and position == 1:
        is_even = code == Op.FULLY_CONNECTED and array.shape[1] % 2 == 0
        return _codes(place, array, place.bits if is_even else 8)
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


def _codes(place: _Place, array: Array, bits: int) -> int:
    """Add a constant of int8 or int4 codes, (O, ...), with a scale for each output channel."""
    codes, scale = quantized(array.reshape(len(array), -1), bits)
    zeros = np.zeros(len(scale), np.int64)
    quantization = schema.QuantizationParametersT(scale=scale, zeroPoint=zeros, quantizedDimension=0)
    if bits == 8:
        return place.editor.constant(place.graph, codes.reshape(array.shape), Type.INT8, quantization)
    nibbles = (codes.reshape(-1, 2) & 15).astype(np.uint8)
    packed = nibbles[:, 0] | nibbles[:, 1] << 4
    return place.editor.constant(place.graph, packed, Type.INT4, quantization, array.shape)


def quantized(array_OI: Array, bits: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round to codes (O, I) times a scale (O,); of several ranges, the one with the least squared error."""
    codes, scale = np.empty(array_OI.shape, np.int8), np.empty(len(array_OI), np.float32)
    height = max(TILE // array_OI.shape[1], 1)
    for start in range(0, len(array_OI), height):
        rows = slice(start, start + height)
        codes[rows], scale[rows] = _rounded(np.ascontiguousarray(array_OI[rows]), bits)
    return codes, scale


def _rounded(array_OI: Array, bits: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    largest, peak = 2 ** (bits - 1) - 1, np.abs(array_OI).max(axis=1)
    peak[peak == 0] = 1
    best = np.empty(array_OI.shape, np.int8), np.empty(len(peak), np.float32)
    least = np.full(len(peak), np.inf)
    for share in SHARES[bits]:
        scale = (share * peak / largest).astype(np.float32)
        codes = np.clip(np.rint(array_OI / scale[:, None]), -largest, largest)
        error = np.square(codes * scale[:, None] - array_OI).sum(axis=1)
        better = error < least
        least[better] = error[better]
        best[0][better], best[1][better] = codes[better], scale[better]
    return best


def _halves(place: _Place, array: Array) -> int:
    """Add a constant of float16 numbers, and an operation that makes them float32."""
    stored = place.editor.constant(place.graph, array.astype(np.float16), Type.FLOAT16)
    output = place.editor.tensor(place.graph, array.shape, Type.FLOAT32)
    place.operators.append(place.editor.operator(Op.DEQUANTIZE, [stored], output))
    return output
