"""Maximum over frames, with a gradient that does not depend on comparing rounded values.

Shapes: B batch, T frames, K units.
"""

import keras
from keras import ops

from yt8m_kit.layers.layer import Tensor


def maximum(tensor_BTK: Tensor) -> Tensor:
    """Compute the maximum over frames: (B, T, K) -> (B, K).

    Its gradient goes to the frame that has the maximum: of several, to the first one (JAX) or to each of them
    alike (TensorFlow). JAX's own gradient divides by the number of frames equal to the maximum; XLA may
    compute their values anew for that, rounded in another way, and where none is equal, the gradient is NaN.
    """
    if keras.backend.backend() != "jax":
        return ops.max(tensor_BTK, axis=1)
    frame_BK = ops.argmax(tensor_BTK, axis=1)
    chosen_BTK = ops.equal(ops.arange(tensor_BTK.shape[1])[:, None], frame_BK[:, None, :])
    return ops.sum(ops.where(chosen_BTK, tensor_BTK, 0.0), axis=1)
