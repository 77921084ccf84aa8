"""For the benchmarks, nothing to run here: the kit's families written down plainly in Keras, as baselines.

The same models with the same parameters: bytes dequantized to floats, then Keras' own layers one after the
other. Only the drawing of frames is the kit's, so that both see the same.

Shapes: B videos, T frames, D features, K clusters, G groups, C classes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import Model, layers, ops, regularizers

from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, Dataset
from yt8m_kit.layers.inputs.frames import Frames, video_inputs
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.inputs.whitening import HALF_STEP, multipliers

Tensor = Any


class Dequantize(layers.Layer):
    """Frames -> floats (B, T, D), 0 on padding, and which frames are real, (B, T) bool."""

    def call(self, frames: Frames) -> tuple[Tensor, Tensor]:
        floats = ops.cast(frames.codes, "float32") * DEQUANTIZE_SCALE + DEQUANTIZE_OFFSET
        return floats * frames.row[:, :, None], frames.row > 0


class Unwhiten(layers.Layer):
    """The visual features in the scale that they had before they were whitened."""

    def call(self, floats: Tensor) -> Tensor:
        return (floats - HALF_STEP) * np.asarray(multipliers(floats.shape[-1]), np.float32)


class Residuals(layers.Layer):
    """(B, T, D) and assignments (B, T, K) -> (B, D, K): residuals to the centres summed over frames."""

    def __init__(self, clusters: int) -> None:
        super().__init__()
        self.clusters = clusters

    def build(self, floats_shape: Any, assignments_shape: Any) -> None:
        self.centres = self.add_weight(shape=(floats_shape[-1], self.clusters))

    def call(self, floats: Tensor, assignments: Tensor) -> Tensor:
        summed = ops.matmul(ops.transpose(floats, (0, 2, 1)), assignments)
        return summed - ops.sum(assignments, axis=1, keepdims=True) * self.centres


def netvlad(dataset: Dataset, *, clusters: int, hidden: int, mixtures: int = 2, draws: int = 300) -> Model:
    """WILLOW's gated NetVLAD."""
    inputs, floats, _ = _floats(dataset, draws)
    floats = _norm()(layers.UnitNormalization()(floats))
    vectors = []
    for part, count in zip(_split(floats, dataset), (clusters, clusters // 2)):
        assignments = layers.Softmax()(_norm()(layers.Dense(count, use_bias=False)(part)))
        vlad = layers.UnitNormalization(axis=1)(Residuals(count)(part, assignments))
        vectors.append(layers.UnitNormalization()(layers.Flatten()(vlad)))
    vector = _gate(layers.Dense(hidden)(layers.Concatenate()(vectors)))
    return Model(inputs, _gate(_experts(vector, dataset.classes, mixtures, 1e-6)))


def nextvlad(
    dataset: Dataset, *, clusters: int = 112, groups: int = 8, hidden: int = 2048, reduction: int = 16
) -> Model:
    """NeXtVLAD, one branch."""
    inputs, floats, real = _floats(dataset, None)
    visual, sound = _split(floats, dataset)
    vectors = [
        _group_vlad(Unwhiten()(visual), real, clusters, groups),
        _group_vlad(sound, real, clusters // 2, groups // 2),
    ]
    vector = layers.Dropout(0.5)(layers.Concatenate()(vectors))
    vector = _norm()(layers.Dense(hidden, use_bias=False)(vector))
    squeezed = layers.ReLU()(_norm()(layers.Dense(hidden // reduction, use_bias=False)(vector)))
    vector = vector * layers.Dense(hidden, activation="sigmoid", use_bias=False)(squeezed)
    penalty = regularizers.L2(0.5e-5)
    head = layers.Dense(
        dataset.classes, activation="sigmoid", kernel_regularizer=penalty, bias_regularizer=penalty
    )
    return Model(inputs, head(vector))


def _group_vlad(floats: Tensor, real: Tensor, clusters: int, groups: int) -> Tensor:
    length, width = floats.shape[1:]
    expanded = layers.Dense(2 * width)(floats)
    attention = layers.Dense(groups, activation="sigmoid")(expanded) * ops.cast(real, "float32")[:, :, None]
    assignments = _norm()(layers.Dense(groups * clusters, use_bias=False)(expanded))
    assignments = layers.Softmax()(layers.Reshape((length * groups, clusters))(assignments))
    assignments = assignments * layers.Reshape((length * groups, 1))(attention)
    parts = layers.Reshape((length * groups, 2 * width // groups))(expanded)
    vlad = layers.UnitNormalization(axis=1)(Residuals(clusters)(parts, assignments))
    return _norm()(layers.Flatten()(vlad))


def gru(dataset: Dataset, *, units: int, mixtures: int = 2) -> Model:
    """GRU layers, all last states to the experts."""
    inputs, sequence, real = _floats(dataset, None)
    sequence, states = layers.UnitNormalization()(sequence), []
    for _ in range(2):
        cell = layers.GRU(units, return_sequences=True, return_state=True, reset_after=False)
        sequence, state = cell(sequence, mask=real)
        states.append(state)
    return Model(inputs, _experts(layers.Concatenate()(states), dataset.classes, mixtures, 1e-6))


def lstm(dataset: Dataset, *, units: int, mixtures: int = 2) -> Model:
    """LSTM layers, the last output to the experts."""
    inputs, sequence, real = _floats(dataset, None)
    sequence = layers.UnitNormalization()(sequence)
    for _ in range(2):
        cell = layers.LSTM(units, return_sequences=True, return_state=True)
        sequence, state, _ = cell(sequence, mask=real)
    return Model(inputs, _experts(state, dataset.classes, mixtures, 1e-8))


def dbof(dataset: Dataset, *, clusters: int, hidden: int = 1024, mixtures: int = 2, draws: int = 30) -> Model:
    """Deep bag of frames, the maximum over frames."""
    inputs, floats, _ = _floats(dataset, draws)
    floats = _norm()(layers.UnitNormalization()(floats))
    active = layers.ReLU(6)(_norm()(layers.Dense(clusters, use_bias=False)(floats)))
    vector = layers.GlobalMaxPooling1D()(active)
    vector = layers.ReLU(6)(_norm()(layers.Dense(hidden, use_bias=False)(vector)))
    return Model(inputs, _experts(vector, dataset.classes, mixtures, 1e-8))


def _floats(dataset: Dataset, draws: int | None) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    inputs = video_inputs(dataset)
    return inputs, *Dequantize()(Sample(draws)(**inputs))


def _split(floats: Tensor, dataset: Dataset) -> tuple[Tensor, Tensor]:
    width = dataset.features[0][1]
    return floats[:, :, :width], floats[:, :, width:]


def _norm() -> layers.BatchNormalization:
    return layers.BatchNormalization(momentum=0.999)


def _gate(vector: Tensor) -> Tensor:
    gate = _norm()(layers.Dense(vector.shape[-1], use_bias=False)(vector))
    return vector * layers.Activation("sigmoid")(gate)


def _experts(vector: Tensor, classes: int, mixtures: int, l2: float) -> Tensor:
    penalty = regularizers.L2(l2 / 2)
    gates = layers.Dense(classes * (mixtures + 1), use_bias=False, kernel_regularizer=penalty)(vector)
    experts = layers.Dense(classes * mixtures, activation="sigmoid", kernel_regularizer=penalty)(vector)
    gates = layers.Softmax()(layers.Reshape((classes, mixtures + 1))(gates))
    return ops.sum(gates[:, :, :mixtures] * layers.Reshape((classes, mixtures))(experts), axis=-1)


FAMILIES: dict[str, Callable[..., Model]] = {
    "netvlad": netvlad,
    "nextvlad": nextvlad,
    "gru": gru,
    "lstm": lstm,
    "dbof": dbof,
}
