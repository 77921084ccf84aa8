"""Models of keras.applications without their classifier, pooled by their mean."""

import sys
from pathlib import Path

import numpy as np

from yt8m_kit.errors import UsageError


class Application:
    """A model by its name. weights: a file of the model without its top; None: Keras' ImageNet weights.

    size: side of an image in pixels. width: values of a feature vector.
    Raises UsageError if the weights cannot be read or are of another model.
    """

    def __init__(self, name: str, weights: Path | None, size: int):
        import keras

        build = getattr(keras.applications, name)
        source = None if weights else "imagenet"
        try:
            self._model = build(include_top=False, weights=source, input_shape=(size, size, 3), pooling="avg")
            if weights:
                self._model.load_weights(weights)
        except Exception as error:  # Keras, h5py and urllib raise a dozen types
            of = weights or "imagenet, which Keras downloads; --image_weights=FILE takes a file"
            raise UsageError(f"{name} cannot take the weights {of}: {_first_line(error)}.") from error
        self._prepare = sys.modules[build.__module__].preprocess_input
        self.size = size
        self.width = int(self._model.output_shape[-1])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute float32 (n, width) of uint8 (n, size, size, 3)."""
        images = self._prepare(images.astype(np.float32))
        found: np.ndarray = np.asarray(self._model(images, training=False))
        return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
