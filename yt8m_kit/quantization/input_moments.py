"""Second moments of the inputs of a model's kernels, found by tracing its graph.

Layers need no hooks: the model is traced with its weights as arguments, and a kernel's inputs are the left
operands of its matrix products, of the kernel itself or scaled by row (layers.inputs.frames). Kernels that
are used in other ways (inside a recurrent layer's loop, or multiplied by each other) have no moments.

Shapes: B videos, T frames, I inputs of a kernel, N blocks of R inputs.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m_kit.codecs.affine import Floats
from yt8m_kit.dataset import Dataset
from yt8m_kit.layers.layer import is_float

WHOLE = 4096  # up to this number of inputs, a kernel's moments are one block
BLOCK = 1024
BATCH = 64


def second_moments(
    model: keras.Model,
    dataset: Dataset,
    frames: NDArray[np.uint8],
    num_frames: NDArray[np.int32],
    wanted: set[str],
) -> dict[str, Floats]:
    """Sum x x^T over videos (or frames), float32 (N, R, R) by the kernel's path.

    frames: uint8 (B, T, D), num_frames: int32 (B,). wanted: paths of kernels; those whose inputs cannot be
    found are left out. More than 4096 inputs are cut into blocks of 1024.
    """
    function, found = _traced(model, dataset, wanted)
    values = [tf.convert_to_tensor(variable.value) for variable in _weights(model)]
    moments: dict[str, Any] = {}
    for start in range(0, len(frames), BATCH):
        rows = slice(start, start + BATCH)
        inputs = function(tf.constant(frames[rows]), tf.constant(num_frames[rows]), *values)
        for path, x_BI in zip(found, inputs):
            moments[path] = moments.get(path, 0.0) + _products(x_BI)
    return {path: np.asarray(moment) for path, moment in moments.items()}


def _weights(model: keras.Model) -> list[keras.Variable]:
    return [variable for variable in model.variables if is_float(variable)]


def _traced(model: keras.Model, dataset: Dataset, wanted: set[str]) -> tuple[Any, list[str]]:
    """Return a function (frames, num_frames, *weights) -> kernels' inputs, and the paths of these kernels."""
    weights = _weights(model)

    def run(frames: tf.Tensor, num_frames: tf.Tensor, *values: tf.Tensor) -> tf.Tensor:
        with keras.StatelessScope(state_mapping=list(zip(weights, values))):
            return model({"frames": frames, "num_frames": num_frames}, training=False)

    signature = [
        tf.TensorSpec((None, dataset.max_frames, dataset.width), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
        *(tf.TensorSpec(variable.shape, tf.float32) for variable in weights),
    ]
    wrapped = tf.compat.v1.wrap_function(run, signature)
    found, tensors = [], []
    with wrapped.graph.as_default():
        for variable, argument in zip(weights, wrapped.inputs[2:]):
            if variable.path in wanted:
                for tensor in _inputs(argument):
                    found.append(variable.path)
                    tensors.append(tensor)
    return wrapped.prune(wrapped.inputs, tensors), found


COPIES = ("Identity", "Cast")


def _uses(tensor: tf.Tensor, copies: tuple[str, ...] = COPIES) -> Iterator[tuple[Any, tf.Tensor]]:
    """Yield the operations that consume a tensor or its copies, with the copy consumed."""
    for operation in tensor.consumers():
        if operation.type in copies:
            yield from _uses(operation.outputs[0], copies)
        else:
            yield operation, tensor


def _inputs(kernel: tf.Tensor) -> Iterator[tf.Tensor]:
    """Yield the left operands of the kernel's products, float32 (rows, I) each."""
    for operation, name in _uses(kernel):
        if operation.type not in ("MatMul", "Mul"):
            continue
        left, right = operation.inputs
        # A constant vector without a batch axis, such as the frames' shift, is no input to calibrate on.
        if operation.type == "MatMul" and right is name and left.shape[0] is None:
            yield tf.cast(left, tf.float32)
        elif left.shape == (kernel.shape[0], 1):
            yield from _scaled(operation.outputs[0], left)


def _scaled(folded: tf.Tensor, scale_D1: tf.Tensor) -> Iterator[tf.Tensor]:
    """Yield the inputs of a kernel of frames: bytes times the feature's scale and the row's factor."""
    for product, name in _uses(folded):
        if product.type != "MatMul" or product.inputs[1] is not name:
            continue
        for row in _uses(product.outputs[0], (*COPIES, "Reshape")):
            if row[0].type == "Mul":
                factor = next(tensor for tensor in row[0].inputs if tensor is not row[1])
                x = tf.cast(product.inputs[0], tf.float32) * tf.transpose(scale_D1)
                yield x * tf.reshape(factor, (-1, 1))


def _products(x_BI: tf.Tensor) -> tf.Tensor:
    """Compute x^T x block by block, (N, R, R); the last block is padded with zero inputs."""
    width = x_BI.shape[1]
    size = width if width <= WHOLE else BLOCK
    x_BI = tf.pad(x_BI, [[0, 0], [0, -width % size]])
    x_NBR = tf.transpose(tf.reshape(x_BI, (-1, x_BI.shape[1] // size, size)), (1, 0, 2))
    return tf.matmul(x_NBR, x_NBR, transpose_a=True)
