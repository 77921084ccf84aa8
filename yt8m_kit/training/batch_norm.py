"""Re-estimate BatchNorm statistics for given weights on training batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.inference.predictor import compiled


def normalizing_layers(model: keras.Model) -> list[Any]:
    """All layers, at any depth, with a moving mean and variance."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if hasattr(layer, "moving_variance") and hasattr(layer, "momentum")]


@contextmanager
def restored_statistics(model: keras.Model) -> Iterator[None]:
    """Restore the moving statistics on exit."""
    layers = normalizing_layers(model)
    variables = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before):
            variable.assign(value)


def reestimate(model: keras.Model, batches: Iterator[Batch], count: int) -> None:
    """Set every moving mean and variance to the mean of the batch statistics of `count` batches.

    With a momentum of 0.999 the moving averages are still near their initial values after a few thousand
    steps, and averaged weights have no statistics of their own. Weights do not change. Sums are float64.
    """
    layers = normalizing_layers(model)
    if not layers or count == 0:
        return
    variables = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in layers]
    # With momentum 0 one training pass sets the statistics to exactly that batch's.
    for layer in layers:
        layer.momentum = 0.0
    try:
        sums = _summed_statistics(model, variables, batches, count)
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
    for variable, total in zip(variables, sums):
        variable.assign((total / count).astype(np.float32))


def _summed_statistics(
    model: keras.Model, variables: list[Any], batches: Iterator[Batch], count: int
) -> list[np.ndarray]:
    places = [next(i for i, v in enumerate(model.non_trainable_variables) if v is each) for each in variables]

    def statistics(trainable: Any, non_trainable: Any, frames: Any, num_frames: Any) -> Any:
        inputs = {"frames": frames, "num_frames": num_frames}
        _, updated = model.stateless_call(trainable, non_trainable, inputs, training=True)
        return updated

    step = compiled(model, statistics)
    trainable = [variable.value for variable in model.trainable_variables]
    state = [variable.value for variable in model.non_trainable_variables]
    sums = [np.zeros(tuple(variable.shape), np.float64) for variable in variables]
    for _, batch in zip(range(count), batches):
        state = step(trainable, state, batch.frames, batch.num_frames)
        for total, place in zip(sums, places):
            total += np.asarray(state[place], np.float64)
    return sums
