"""Weights of a LiteRT model: from inputs to constants, as 8-bit codes with a scale per output channel.

Kernels of fully connected and convolution operations become int8 codes, symmetric around 0, whose products
LiteRT computes with integers: it quantizes the other operand row by row as it runs. Other large weights
become float16.

Shapes: I inputs, O output channels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

Op = schema.BuiltinOperator
Array = NDArray[Any]
LARGEST_CODE = 127
# Operations whose second input is a kernel with the output channels as its first axis.
KERNELS = (Op.FULLY_CONNECTED, Op.CONV_2D)


def embed(model: Any, weights: Sequence[Array], prefix: str) -> None:
    """Make the inputs named prefix0, prefix1, ... of a ModelT constants of the given values."""
    graph = model.subgraphs[0]
    names = {int(index): name_of(graph.tensors[index]) for index in graph.inputs}
    known = {i: weights[int(n.removeprefix(prefix))] for i, n in names.items() if n.startswith(prefix)}
    graph.inputs = [index for index in names if index not in known]
    _Embedding(model).run(0, known)


def name_of(tensor: Any) -> str:
    """Return the name that an input had in TensorFlow."""
    return str(tensor.name.decode()).removeprefix("serving_default_").partition(":")[0]


class _Embedding:
    """A model to which constants are added; each array is stored once."""

    def __init__(self, model: Any):
        self.model = model
        self.buffers: dict[tuple[int, str], tuple[int, Any]] = {}
        self.alive: list[Array] = []  # so that no id is used twice

    def run(self, number: int, known: dict[int, Array]) -> None:
        """Replace tensors of a subgraph, known by value, by constants where operations take them."""
        graph = self.model.subgraphs[number]
        kept, made = [], {}
        for operation in graph.operators:
            code = self.code(operation)
            operation.inputs, operation.outputs = list(operation.inputs), list(operation.outputs)
            if int(operation.inputs[0]) in known and code in FOLDED:
                shape = graph.tensors[operation.outputs[0]].shape
                axes = self.constant(graph, operation.inputs[1])
                known[int(operation.outputs[0])] = FOLDED[code](known[int(operation.inputs[0])], axes, shape)
                continue
            if code == Op.WHILE:
                self.enter(operation, known)
            for place, index in enumerate(operation.inputs):
                if int(index) in known:
                    self.take(graph, operation, place, known[int(index)], made, kept)
            kept.append(operation)
        graph.operators = kept

    def code(self, operation: Any) -> int:
        """Return the BuiltinOperator of an operation."""
        code = self.model.operatorCodes[operation.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def opcode(self, builtin: int) -> int:
        """Return the place of an operator code, which is added if need be."""
        for place, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
                return place
        self.model.operatorCodes.append(
            schema.OperatorCodeT(deprecatedBuiltinCode=builtin, builtinCode=builtin, version=1)
        )
        return len(self.model.operatorCodes) - 1

    def constant(self, graph: Any, index: int) -> Array:
        """Return an int32 constant of a subgraph."""
        data = self.model.buffers[graph.tensors[index].buffer].data
        return np.frombuffer(bytes(data), np.int32) if data is not None else np.zeros(0, np.int32)

    def enter(self, operation: Any, known: dict[int, Array]) -> None:
        """Give a loop's invariants to its body, instead of passing them through."""
        options = operation.builtinOptions
        body, condition = (
            self.model.subgraphs[n] for n in (options.bodySubgraphIndex, options.condSubgraphIndex)
        )
        places = [
            place
            for place, index in enumerate(operation.inputs)
            if int(index) in known and body.inputs[place] == body.outputs[place]
        ]
        inner = {int(body.inputs[place]): known[int(operation.inputs[place])] for place in places}
        for owner, names in ((operation, ("inputs", "outputs")), (body, ("inputs", "outputs")),
                             (condition, ("inputs",))):
            for name in names:
                left = [index for place, index in enumerate(getattr(owner, name)) if place not in places]
                setattr(owner, name, left)
        if inner:
            self.run(options.bodySubgraphIndex, inner)

    def take(
        self, graph: Any, operation: Any, place: int, array: Array, made: dict[int, int], before: list[Any]
    ) -> None:
        """Make an input of an operation a constant."""
        code = self.code(operation)
        if code == Op.BATCH_MATMUL and place == 1 and array.ndim == 2:
            array = array if operation.builtinOptions.adjY else array.T
            self.as_fully_connected(graph, operation, before)
            code = Op.FULLY_CONNECTED
        if code in KERNELS and place == 1:
            operation.inputs[place] = self.codes(graph, array)
            return
        if id(array) not in made:
            made[id(array)] = self.halves(graph, array, before)
        operation.inputs[place] = made[id(array)]

    def as_fully_connected(self, graph: Any, operation: Any, before: list[Any]) -> None:
        """Turn a product with a matrix into the operation that has integer products."""
        if operation.builtinOptions.adjX:
            operation.inputs[0] = self.transposed(graph, operation.inputs[0], before)
        operation.opcodeIndex = self.opcode(Op.FULLY_CONNECTED)
        operation.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operation.builtinOptions = schema.FullyConnectedOptionsT(keepNumDims=True)
        operation.inputs = [*operation.inputs, -1]

    def transposed(self, graph: Any, index: int, before: list[Any]) -> int:
        """Add an operation that exchanges the last two axes of a tensor."""
        given = graph.tensors[index]
        axes = list(range(len(given.shape)))
        axes[-2:] = axes[:-3:-1]
        buffer = self.buffer(np.asarray(axes, np.int32))
        order = self.tensor(graph, (len(axes),), schema.TensorType.INT32, buffer)
        shape = tuple(int(given.shape[axis]) for axis in axes)
        found = self.tensor(graph, shape, given.type, 0)
        opcode = self.opcode(Op.TRANSPOSE)
        before.append(schema.OperatorT(opcodeIndex=opcode, inputs=[index, order], outputs=[found]))
        return found

    def codes(self, graph: Any, array: Array) -> int:
        """Add a constant of int8 codes, (O, ...), with a scale for each output channel."""
        key = (array.__array_interface__["data"][0], f"codes{array.shape}{array.strides}")
        if key not in self.buffers:
            self.alive.append(array)
            scale = np.abs(array.reshape(len(array), -1)).max(axis=1) / LARGEST_CODE
            scale[scale == 0] = 1
            codes = np.rint(array / scale.reshape(-1, *[1] * (array.ndim - 1))).astype(np.int8)
            self.buffers[key] = self.buffer(codes), scale.astype(np.float32)
        buffer, scale = self.buffers[key]
        quantization = schema.QuantizationParametersT(
            scale=scale, zeroPoint=np.zeros(len(scale), np.int64), quantizedDimension=0
        )
        return self.tensor(graph, array.shape, schema.TensorType.INT8, buffer, quantization)

    def halves(self, graph: Any, array: Array, before: list[Any]) -> int:
        """Add a constant of float16 numbers, and an operation that makes them float32."""
        buffer = self.buffer(array.astype(np.float16))
        stored = self.tensor(graph, array.shape, schema.TensorType.FLOAT16, buffer)
        found = self.tensor(graph, array.shape, schema.TensorType.FLOAT32, 0)
        before.append(
            schema.OperatorT(opcodeIndex=self.opcode(Op.DEQUANTIZE), inputs=[stored], outputs=[found])
        )
        return found

    def buffer(self, array: Array) -> int:
        """Add a buffer."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.model.buffers.append(schema.BufferT(data=data))
        return len(self.model.buffers) - 1

    def tensor(
        self, graph: Any, shape: tuple[int, ...], type: int, buffer: int, quantization: Any = None
    ) -> int:
        """Add a tensor to a subgraph."""
        number = len(graph.tensors)
        graph.tensors.append(
            schema.TensorT(
                shape=list(shape), type=type, buffer=buffer, name=f"constant_{number}", hasRank=True,
                quantization=quantization,
            )
        )
        return number


FOLDED: dict[int, Callable[[Array, Array, Any], Array]] = {
    Op.TRANSPOSE: lambda array, axes, shape: array.transpose(axes),
    Op.RESHAPE: lambda array, axes, shape: array.reshape([int(size) for size in shape]),
}
