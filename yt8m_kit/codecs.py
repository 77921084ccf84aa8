"""How weights are stored in the exported graph: encoded in numpy, decoded by graph operations."""

import re
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

# Smaller tensors (biases, BatchNorm vectors) stay float32: they cost nothing and decide a lot
# (first place, model_families 11).
LARGE = 17_000

Codes = dict[str, NDArray[Any]]


# Liu & Liu's four: hidden layer, experts' gates, experts, probability gate (model_families 10.1).
FOUR = re.compile(r"(^|/)(hidden/kernel|experts/gate_kernel|experts/expert_kernel|probability_gate/kernel)$")
ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "uint8": 1}


def kind(codec: str, path: str, elements: int) -> str:
    """How a codec stores the tensor of that path and size: float32, float16, bfloat16 or uint8.

    bfloat16: every tensor so (YT8M-T). float16, uint8: tensors of more than 17,000 elements (first place).
    float16_four: Liu & Liu's four kernels as float16. Everything else stays float32.
    """
    if codec == "bfloat16":
        return codec
    if codec == "float16_four":
        return "float16" if FOUR.search(path) else "float32"
    return codec if elements > LARGE else "float32"


def encode(codec: str, array: NDArray[np.float32], path: str = "") -> Codes:
    """The arrays that stand for a float32 one; `decode` takes them back.

    uint8 takes 256 even steps from the least to the greatest value, so that no value is off by more than
    (max - min) / 510 (first place).
    """
    array = np.asarray(array, np.float32)
    stored = kind(codec, path, array.size)
    if stored == "uint8":
        return _uint8(array)
    return {"codes": array.astype(ml_dtypes.bfloat16 if stored == "bfloat16" else stored)}


def _uint8(array: NDArray[np.float32]) -> Codes:
    low, high = float(array.min()), float(array.max())
    step = np.float32((high - low) / 255 or 1.0)
    codes = np.clip(np.rint((array - np.float32(low)) / step), 0, 255).astype(np.uint8)
    return {"codes": codes, "step": np.asarray(step), "offset": np.asarray(low, np.float32)}


def stored_bytes(codec: str, path: str, elements: int) -> int:
    """Bytes that `encode` makes of a tensor of that path and size."""
    stored = kind(codec, path, elements)
    return elements * ITEM_BYTES[stored] + (8 if stored == "uint8" else 0)


def size(codes: Codes) -> int:
    """Bytes of the encoded arrays."""
    return sum(array.nbytes for array in codes.values())


def decode(codes: dict[str, Any]) -> Any:
    """The float32 tensor that encoded tensors stand for."""
    from keras import ops

    values = ops.cast(codes["codes"], "float32")
    return values * codes["step"] + codes["offset"] if "step" in codes else values
