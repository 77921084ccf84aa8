"""Additions to a LiteRT model, a ModelT of its schema: buffers, tensors, operations."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

Op, Type = schema.BuiltinOperator, schema.TensorType


class Editor:
    """A model to which constants are added; equal ones share a buffer."""

    def __init__(self, model: Any):
        self.model = model
        self._buffers: dict[bytes, int] = {}

    def code(self, operation: Any) -> int:
        """Return the BuiltinOperator of an operation."""
        return _builtin(self.model.operatorCodes[operation.opcodeIndex])

    def opcode(self, builtin: int) -> int:
        """Return the index of a BuiltinOperator among the model's operator codes; adds it if need be."""
        codes = [_builtin(code) for code in self.model.operatorCodes]
        if builtin not in codes:
            code = schema.OperatorCodeT(deprecatedBuiltinCode=builtin, builtinCode=builtin, version=1)
            self.model.operatorCodes.append(code)
            return len(codes)
        return codes.index(builtin)

    def operator(self, builtin: int, inputs: list[int], output: int) -> Any:
        """Make an operation without options."""
        return schema.OperatorT(opcodeIndex=self.opcode(builtin), inputs=inputs, outputs=[output])

    def integers(self, graph: Any, index: int) -> NDArray[np.int32]:
        """Return the values of an int32 constant."""
        data = self.model.buffers[graph.tensors[index].buffer].data
        return np.frombuffer(bytes(data), np.int32)

    def constant(
        self,
        graph: Any,
        array: NDArray[Any],
        type: int,
        quantization: Any = None,
        shape: Sequence[int] | None = None,
    ) -> int:
        """Add a constant to a subgraph; returns its tensor's index. shape: of packed codes."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        key = hashlib.sha256(data.data).digest()
        if key not in self._buffers:
            self._buffers[key] = len(self.model.buffers)
            self.model.buffers.append(schema.BufferT(data=data))
        return self.tensor(graph, shape or array.shape, type, self._buffers[key], quantization)

    def tensor(
        self, graph: Any, shape: Sequence[int], type: int, buffer: int = 0, quantization: Any = None
    ) -> int:
        """Add a tensor to a subgraph; buffer 0 is that of tensors without a constant value."""
        number = len(graph.tensors)
        graph.tensors.append(
            schema.TensorT(
                shape=[int(size) for size in shape],
                type=type,
                buffer=buffer,
                name=f"added_{number}",
                quantization=quantization,
                hasRank=True,
            )
        )
        return number


def fill_zeros(model: Any, size: int) -> None:
    """Replace float32 constants of more than `size` zeros by operations that make them."""
    editor = Editor(model)
    zeros = {
        number
        for number, buffer in enumerate(model.buffers)
        if buffer.data is not None and len(buffer.data) > 4 * size and not np.any(buffer.data)
    }
    for graph in model.subgraphs:
        for index, tensor in enumerate(graph.tensors[:]):
            if tensor.buffer in zeros and tensor.type == Type.FLOAT32:
                tensor.buffer = 0
                shape = editor.constant(graph, np.asarray(tensor.shape, np.int32), Type.INT32)
                zero = editor.constant(graph, np.zeros((), np.float32), Type.FLOAT32)
                graph.operators.insert(0, editor.operator(Op.FILL, [shape, zero], index))
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    for number in zeros - used:
        model.buffers[number].data = None


def _builtin(code: Any) -> int:
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))
