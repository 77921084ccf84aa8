"""How weights are stored in the exported graph: encoded in numpy, decoded by graph operations."""

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

# Smaller tensors (biases, BatchNorm vectors) stay float32: they cost nothing and decide a lot
# (first place, model_families 11).
LARGE = 17_000

Codes = dict[str, NDArray[Any]]


def _uint8(array: NDArray[np.float32]) -> Codes:
    low, high = float(array.min()), float(array.max())
    step = np.float32((high - low) / 255 or 1.0)
    codes = np.clip(np.rint((array - np.float32(low)) / step), 0, 255).astype(np.uint8)
    return {"codes": codes, "step": np.asarray(step), "offset": np.asarray(low, np.float32)}


def encode(codec: str, array: NDArray[np.float32]) -> Codes:
    """The arrays that stand for a float32 one; `decode` takes them back.

    float16: tensors over 17,000 elements. bfloat16: every tensor (YT8M-T). uint8: tensors over 17,000
    elements, 256 even steps from the least to the greatest value (first place), so that no value is
    off by more than (max - min) / 510. Everything else stays float32.
    """
    array = np.asarray(array, np.float32)
    if codec == "bfloat16":
        return {"codes": array.astype(ml_dtypes.bfloat16)}
    if array.size > LARGE and codec == "float16":
        return {"codes": array.astype(np.float16)}
    if array.size > LARGE and codec == "uint8":
        return _uint8(array)
    return {"codes": array}


def size(codes: Codes) -> int:
    """Bytes of the encoded arrays."""
    return sum(array.nbytes for array in codes.values())


def decode(codes: dict[str, Any]) -> Any:
    """The float32 tensor that encoded tensors stand for."""
    from keras import ops

    values = ops.cast(codes["codes"], "float32")
    return values * codes["step"] + codes["offset"] if "step" in codes else values
