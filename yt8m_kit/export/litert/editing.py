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

    def constant(self, graph: Any, array: NDArray[Any], type: int, quantization: Any = None) -> int:
        """Add a constant to a subgraph; returns its tensor's index."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        key = hashlib.sha256(data.data).digest()
        if key not in self._buffers:
            self._buffers[key] = len(self.model.buffers)
            self.model.buffers.append(schema.BufferT(data=data))
        return self.tensor(graph, array.shape, type, self._buffers[key], quantization)

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


def _builtin(code: Any) -> int:
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))
