"""VGGish: from log-mel patches to 128 values.

Hershey et al., "CNN Architectures for Large-Scale Audio Classification" (2017), as released with AudioSet:
four blocks of 3x3 convolutions and 2x2 max-pooling, two layers of 4096, and 128 values before activation.
"""

from pathlib import Path
from typing import Any

import numpy as np

from yt8m_kit.errors import UsageError
from yt8m_kit.extraction.log_mel import BANDS, STEPS

WIDTH, BATCH = 128, 32
# Layer by layer, the scope of its variables in the published checkpoint.
_BLOCKS = (("conv1",), ("conv2",), ("conv3/conv3_1", "conv3/conv3_2"), ("conv4/conv4_1", "conv4/conv4_2"))
_DENSE = ("fc1/fc1_1", "fc1/fc1_2", "fc2")


class Vggish:
    """The network with the weights of a TensorFlow checkpoint, as published.

    Raises UsageError if it cannot be read, lacks a variable or has one of another shape.
    """

    width = WIDTH

    def __init__(self, checkpoint: Path):
        self._model = network()
        reader = _reader(checkpoint)
        shapes = reader.get_variable_to_shape_map()
        for layer in self._model.layers:
            for variable, name in zip(layer.weights, ("weights", "biases")):
                key = f"vggish/{layer.name.replace('__', '/')}/{name}"
                if list(shapes.get(key, ())) != list(variable.shape):
                    raise UsageError(
                        f"{checkpoint} is no checkpoint of VGGish: {key} must be {tuple(variable.shape)}; "
                        f"got {tuple(shapes[key]) if key in shapes else 'none'}."
                    )
                variable.assign(reader.get_tensor(key))

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Compute float32 (n, 128) of float32 patches (n, 96, 64)."""
        parts = (patches[first : first + BATCH] for first in range(0, len(patches), BATCH))
        return np.concatenate([np.asarray(self._model(part, training=False)) for part in parts])


def network() -> Any:
    """Build the network with random weights, a keras.Model: (B, 96, 64) -> (B, 128)."""
    import keras
    from keras import layers

    inputs = keras.Input((STEPS, BANDS))
    net = layers.Reshape((STEPS, BANDS, 1))(inputs)
    for scopes, channels in zip(_BLOCKS, (64, 128, 256, 512)):
        for scope in scopes:
            name = scope.replace("/", "__")
            net = layers.Conv2D(channels, 3, padding="same", activation="relu", name=name)(net)
        net = layers.MaxPooling2D(2, padding="same")(net)
    net = layers.Flatten()(net)
    for scope, units in zip(_DENSE, (4096, 4096, WIDTH)):
        activation = "relu" if units > WIDTH else None
        net = layers.Dense(units, activation=activation, name=scope.replace("/", "__"))(net)
    return keras.Model(inputs, net)


def _reader(checkpoint: Path) -> Any:
    import tensorflow as tf

    try:
        return tf.compat.v1.train.NewCheckpointReader(str(checkpoint))
    except Exception as error:  # of TensorFlow's own types
        raise UsageError(f"{checkpoint} cannot be read as a TensorFlow checkpoint.") from error
