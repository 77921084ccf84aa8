"""The exported graph that is served."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from yt8m_kit.inference.predictor import load_signatures
from yt8m_kit.serving.messages.refusal import RefusalError
from yt8m_kit.serving.messages.request import INPUTS, Arrays

_ASSERTION = re.compile(r"assertion failed: \[(.*?)\]")
_NAMES = {"float32": "FLOAT"}  # of data types, where TensorFlow's enumeration has another one


class ServedGraph:
    """A loaded graph with the signatures of `export`."""

    def __init__(self, path: Path):
        """Load a graph. Raises KitError if it or a signature cannot be loaded."""
        self._graph, self._signatures = load_signatures(path, INPUTS)

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        """Run a signature. Raises RefusalError (400) for inputs that the graph refuses."""
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        try:
            outputs = self._signatures[signature](**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise RefusalError(400, _said(str(error))) from None
        return {name: value.numpy() for name, value in outputs.items()}

    def metadata(self) -> dict[str, Any]:
        """Describe the signatures as TensorFlow Serving does: names, data types, shapes; -1: any number."""
        return {
            name: {
                "inputs": _tensors(function.structured_input_signature[1]),
                "outputs": _tensors(function.structured_outputs),
                "method_name": "tensorflow/serving/predict",
            }
            for name, function in self._signatures.items()
        }


def _tensors(specs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _described(spec) for name, spec in sorted(specs.items())}


def _described(spec: Any) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape]
    return {
        "dtype": f"DT_{_NAMES.get(spec.dtype.name, spec.dtype.name.upper())}",
        "tensor_shape": {"dim": sizes, "unknown_rank": False},
        "name": spec.name,
    }


def _said(error: str) -> str:
    """What the graph says of its inputs, without TensorFlow's account of where it says so."""
    if found := _ASSERTION.search(error):
        return f"{found[1].strip(' .')}."
    return error.partition("\n\t [[")[0].splitlines()[-1].partition("  Did you mean")[0]
