"""Storage formats of tensors, the format that a codec assigns to each, and their sizes in bytes.

A format describes how one tensor is stored; a codec assigns a format to every tensor of a model.
Shapes: I inputs (all axes but the last), O output channels (the last axis), G groups of inputs.
"""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

# Up to this many elements (biases, BatchNorm vectors), tensors stay float32: they take few bytes, and outputs
# are sensitive to them (first place's choice: Skalic and Austin, 2018).
LARGE = 17_000

# The four kernels that Liu and Liu (2018) store as float16: hidden layer, gates, experts, probability gate.
FOUR = re.compile(r"(^|/)(hidden/kernel|experts/gate_kernel|experts/expert_kernel|probability_gate/kernel)$")


class TensorFormat(NamedTuple):
    """Storage format of a tensor.

    bits: of a value. affine: whether value = unit * (scale * code + offset), with float16 scales and offsets.
    group: inputs that share a scale and an offset, within an output channel; None for all inputs.
    """

    bits: int
    affine: bool = False
    group: int | None = None


FORMATS = {
    "float32": TensorFormat(32),
    "float16": TensorFormat(16),
    "bfloat16": TensorFormat(16),
    "uint8": TensorFormat(8),  # 256 even steps over the range of the whole tensor (first place)
    "int8": TensorFormat(8, True),
    "int8_g128": TensorFormat(8, True, 128),
    "int6": TensorFormat(6, True),
    "int6_g128": TensorFormat(6, True, 128),
    "int4": TensorFormat(4, True),
    "int4_g128": TensorFormat(4, True, 128),
}
SMALLEST = "int4"
CODECS = (*FORMATS, "float16_four", "mixed")

# Formats by decreasing accuracy, as measured in docs/quantization.md.
EXACT_FIRST = (
    "float32", "float16", "bfloat16", "int8_g128", "int8", "uint8", "int6_g128", "int6", "int4_g128", "int4",
)  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """A tensor of the given shape, stored in the format of the given name.

    arrays: numpy arrays, or tensors of a graph with the same contents. "codes": the values, or their packed
    uint8 codes; for uint8 also "step" and "offset", float32 (); for affine formats "scale" and "offset",
    float16 (G, O), and "unit", float32 ().
    """

    format: str
    shape: tuple[int, ...]
    arrays: dict[str, Any]

    @property
    def size(self) -> int:
        """Size of the numpy arrays, in bytes."""
        return sum(array.nbytes for array in self.arrays.values())


def format_of(codec: str, path: str, shape: tuple[int, ...]) -> str:
    """Return the format that a codec assigns to the tensor of the given path and shape.

    bfloat16: all tensors (YT8M-T). float16_four: the four kernels of Liu and Liu, as float16. float16, uint8:
    tensors of more than 17,000 elements (first place). Affine formats: of those, the ones with at least two
    axes, as large biases save too little for their error. Other tensors stay float32. mixed: as int4, the
    smallest that it can become.
    """
    if codec == "mixed":
        codec = SMALLEST
    if codec == "bfloat16":
        return codec
    if codec == "float16_four":
        return "float16" if FOUR.search(path) else "float32"
    small = math.prod(shape) <= LARGE or (FORMATS[codec].affine and len(shape) < 2)
    return "float32" if small else codec


def litert_bits(codec: str) -> int:
    """Return the bits of a large weight in a LiteRT model of an ensemble: 4 for codecs of 4 bits, else 8."""
    return 4 if codec in FORMATS and FORMATS[codec].bits == 4 else 8


def stored_bytes(format: str, shape: tuple[int, ...]) -> int:
    """Compute the bytes that `encode` needs for a tensor of the given shape."""
    bits, affine, group = FORMATS[format]
    size = math.prod(shape)
    if not affine:
        return size * bits // 8 + (8 if format == "uint8" else 0)
    inputs, outputs = matrix(shape)
    groups = 1 if group is None else -(-inputs // group)
    return packed_bytes(bits, size) + 4 * groups * outputs + 4


class Tensor(Protocol):
    """A path and a shape: a model's Weight, a StoredTensor or a Keras variable."""

    @property
    def path(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...


def codec_bytes(codec: str, tensors: Iterable[Tensor]) -> int:
    """Sum the bytes of the tensors as the codec stores them; mixed: the minimum."""
    return sum(stored_bytes(format_of(codec, each.path, each.shape), each.shape) for each in tensors)


def fitting(tensors: Collection[Tensor], limit: int) -> str | None:
    """Return the most accurate codec that stores all tensors in at most `limit` bytes, or None."""
    return next((codec for codec in EXACT_FIRST if codec_bytes(codec, tensors) <= limit), None)


def packed_bytes(bits: int, size: int) -> int:
    """Compute the bytes of `size` packed codes: one a byte for 8 bits, four in 3 bytes for 6, two for 4."""
    return {8: size, 6: 3 * (-(-size // 4)), 4: -(-size // 2)}[bits]


def matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (I, O) of a tensor's shape; a vector is (I, 1)."""
    if len(shape) < 2:
        return math.prod(shape), 1
    return math.prod(shape[:-1]), shape[-1]
