"""The formats that a tensor can be stored in, which of them a codec gives it, and how many bytes they take.

Shapes: I inputs (all axes but the last), O output channels (the last axis), G groups of inputs.
"""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

# Smaller tensors (biases, BatchNorm vectors) stay float32: they cost nothing and decide a lot (first place's
# choice: Skalic and Austin, 2018).
LARGE = 17_000

# The four kernels of Liu & Liu (2018): hidden layer, experts' gates, experts, probability gate.
FOUR = re.compile(r"(^|/)(hidden/kernel|experts/gate_kernel|experts/expert_kernel|probability_gate/kernel)$")


class TensorFormat(NamedTuple):
    """bits a value. affine: whether codes are steps of a scale and an offset, one of each a column.

    group: a scale and an offset for every so many inputs of a column, None for one a column.
    """

    bits: int
    affine: bool = False
    group: int | None = None


FORMATS = {
    "float32": TensorFormat(32),
    "float16": TensorFormat(16),
    "bfloat16": TensorFormat(16),
    "uint8": TensorFormat(8),  # 256 even steps for the whole tensor (first place)
    "int8": TensorFormat(8, True),
    "int8_g128": TensorFormat(8, True, 128),
    "int6": TensorFormat(6, True),
    "int6_g128": TensorFormat(6, True, 128),
    "int4": TensorFormat(4, True),
    "int4_g128": TensorFormat(4, True, 128),
}
SMALLEST = "int4"
CODECS = (*FORMATS, "float16_four", "mixed")

# As measured in docs/quantization.md.
EXACT_FIRST = (
    "float32", "float16", "bfloat16", "int8_g128", "int8", "uint8", "int6_g128", "int6", "int4_g128", "int4",
)  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """A tensor of `shape` in the format of that name.

    arrays: numpy's, or tensors of a graph that hold the same. "codes": the values, or their packed codes;
    with it "step" and "offset" (uint8), or "scale", "offset" float16 (G, O) and "unit" float32 () (affine).
    """

    format: str
    shape: tuple[int, ...]
    arrays: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the numpy arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def format_of(codec: str, path: str, shape: tuple[int, ...]) -> str:
    """The format that a codec gives to the tensor of that path and shape.

    bfloat16: every tensor so (YT8M-T). float16_four: Liu & Liu's four kernels as float16. float16 and uint8:
    tensors of more than 17,000 elements (first place). The affine formats: of these, those that have columns;
    a large bias is not worth the error. Everything else stays float32. mixed: as int4, the least it comes to.
    """
    if codec == "mixed":
        codec = SMALLEST
    if codec == "bfloat16":
        return codec
    if codec == "float16_four":
        return "float16" if FOUR.search(path) else "float32"
    small = math.prod(shape) <= LARGE or (FORMATS[codec].affine and len(shape) < 2)
    return "float32" if small else codec


def stored_bytes(format: str, shape: tuple[int, ...]) -> int:
    """Bytes that `encode` makes of a tensor of that shape."""
    bits, affine, group = FORMATS[format]
    size = math.prod(shape)
    if not affine:
        return size * bits // 8 + (8 if format == "uint8" else 0)
    inputs, outputs = matrix(shape)
    groups = 1 if group is None else -(-inputs // group)
    return packed_bytes(bits, size) + 4 * groups * outputs + 4


class Tensor(Protocol):
    """What a codec goes by: a model's Weight, a StoredTensor or a Keras variable."""

    @property
    def path(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...


def codec_bytes(codec: str, tensors: Iterable[Tensor]) -> int:
    """Bytes of the tensors as the codec stores them; mixed: the least that it can come to."""
    return sum(stored_bytes(format_of(codec, each.path, each.shape), each.shape) for each in tensors)


def fitting(tensors: Collection[Tensor], limit: int) -> str | None:
    """The most exact codec that stores all tensors in at most `limit` bytes; None where there is none."""
    return next((codec for codec in EXACT_FIRST if codec_bytes(codec, tensors) <= limit), None)


def packed_bytes(bits: int, size: int) -> int:
    """Bytes of so many codes: of 8 bits one a byte, of 6 four in three bytes, of 4 two in one."""
    return {8: size, 6: 3 * (-(-size // 4)), 4: -(-size // 2)}[bits]


def matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """(I, O) of a tensor; a vector is one column."""
    if len(shape) < 2:
        return math.prod(shape), 1
    return math.prod(shape[:-1]), shape[-1]
