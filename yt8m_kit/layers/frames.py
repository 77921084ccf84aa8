"""Frames as layers see them: bytes, and the affine map that would turn them into floats.

Dequantization, the L2 norm of a frame, reverse whitening and input BatchNorm are all of the form

    value = row * (byte * scale + offset) + shift

with one number a frame (row) and one a feature (scale, offset, shift). A matmul with such values is a
matmul with the bytes and a little algebra on its small side, so the float (B, T, D) tensor, and the
gradient with respect to it, never exist. Forward and gradients are those of the plain form up to rounding.

Shapes: B batch, T frames, D features, K clusters (or any other width that frames are projected to).
"""

from typing import NamedTuple

import keras
from keras import ops

from yt8m_kit.layers.layer import Layer, Tensor
from yt8m_kit.spec import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, Dataset

# In half precision the bytes are centred first. They are exact either way, but the bytes' mean of 128 would
# drown the signal when a product is rounded to 8 bits. In float32 it would only cost a pass over the
# frames.
CENTRE = 128.0


class Frames(NamedTuple):
    """A batch of frames, value = row * (codes * scale + offset) + shift.

    codes: (B, T, D) uint8. row: (B, T) float32, 0 on padding. scale, offset, shift: (D,) float32.
    mask: (B, T) float32, 1 for real frames and 0 for padding; or (B, 0) where no frame is padding (after
    sampling), and then nothing is masked. A padding frame has the value shift, as zeros put through the same
    layers would.
    """

    codes: Tensor
    row: Tensor
    mask: Tensor
    scale: Tensor
    offset: Tensor
    shift: Tensor

    @property
    def padded(self) -> bool:
        """Whether some frames may be padding; known when the graph is built."""
        return int(self.mask.shape[1]) > 0


def video_inputs(dataset: Dataset) -> dict[str, Tensor]:
    """The inputs of every model: frames (B, T, D) uint8, zero padded, and num_frames (B,) int32."""
    shape = (dataset.max_frames, dataset.width)
    return {
        "frames": keras.Input(shape, dtype="uint8", name="frames"),
        "num_frames": keras.Input((), dtype="int32", name="num_frames"),
    }


def dequantized(codes: Tensor, row: Tensor, mask: Tensor) -> Frames:
    """Frames of plain dequantized bytes (model_families 13.2): row is 1 for real frames, 0 for padding."""
    width = codes.shape[-1]
    constants = (DEQUANTIZE_SCALE, DEQUANTIZE_OFFSET, 0.0)
    return Frames(codes, row, mask, *(ops.full((width,), value, dtype="float32") for value in constants))


def split(frames: Frames, dataset: Dataset) -> list[Frames]:
    """One Frames for each feature of the data set; the row factors stay those of the whole frame."""
    starts = [sum(width for _, width in dataset.features[:i]) for i in range(len(dataset.features))]
    if len(starts) == 1:
        return [frames]
    return [
        Select(start, width, name=f"select_{name}")(frames)
        for start, (name, width) in zip(starts, dataset.features)
    ]


class Select(Layer):
    """Frames -> Frames of the features start .. start + width - 1 alone."""

    def __init__(self, start: int, width: int, name: str | None = None) -> None:
        super().__init__(name)
        self.columns = slice(start, start + width)

    def call(self, frames: Frames) -> Frames:
        vectors = [vector[self.columns] for vector in (frames.scale, frames.offset, frames.shift)]
        return Frames(frames.codes[:, :, self.columns], frames.row, frames.mask, *vectors)


def gather(tensor: Tensor, indices: Tensor) -> Tensor:
    """Rows of (B, T, ...) at indices (B, S): (B, S, ...).

    One flat take: broadcasting the indices over D would make an int32 tensor larger than the frames
    themselves.
    """
    frames, rest = tensor.shape[1], tuple(tensor.shape[2:])
    starts = ops.arange(ops.shape(tensor)[0], dtype="int32") * frames
    flat = ops.reshape(tensor, (-1, *rest))
    return ops.take(flat, ops.cast(indices, "int32") + starts[:, None], axis=0)


def operand(codes: Tensor, dtype: str) -> tuple[Tensor, float]:
    """The codes as a matmul operand of the given dtype, and the centre that was taken off them."""
    if dtype == "float32":
        return ops.cast(codes, dtype), 0.0
    return ops.cast(codes, dtype) - ops.cast(CENTRE, dtype), CENTRE


def project(frames: Frames, kernel: Tensor, dtype: str = "float32") -> Tensor:
    """The values times a kernel: (B, T, D) x (D, K) -> (B, T, K) float32, the matmul itself in dtype.

    Frames that were turned to (T, B, D) give (T, B, K).
    """
    codes, centre = operand(frames.codes, dtype)
    width, columns = kernel.shape
    folded_DK = ops.cast(frames.scale[:, None] * kernel, dtype)
    product = ops.matmul(ops.reshape(codes, (-1, width)), folded_DK)
    constant_K = ops.matmul(frames.offset + centre * frames.scale, kernel)
    product = ops.cast(product, "float32") + constant_K
    batch_first = codes.shape[1] is not None
    product_BTK = ops.reshape(
        product, (-1, codes.shape[1], columns) if batch_first else (codes.shape[0], -1, columns)
    )
    return frames.row[:, :, None] * product_BTK + ops.matmul(frames.shift, kernel)


def aggregate(weights_BTK: Tensor, frames: Frames, dtype: str = "float32") -> Tensor:
    """Sum over frames of value_d * weight_k: (B, D, K) float32. Padding counts unless its weight is 0."""
    codes, centre = operand(frames.codes, dtype)
    scaled_BTK = ops.cast(weights_BTK * frames.row[:, :, None], dtype)
    product_BDK = ops.cast(ops.einsum("btd,btk->bdk", codes, scaled_BTK), "float32")
    # The sums that offset and shift are multiplied with: of the rounded weights, so that nothing is lost
    # twice.
    sums_B2K = ops.stack(
        [ops.sum(ops.cast(scaled_BTK, "float32"), axis=1), ops.sum(weights_BTK, axis=1)], axis=1
    )
    rest_D2 = ops.stack([frames.offset + centre * frames.scale, frames.shift], axis=1)
    return product_BDK * frames.scale[:, None] + ops.matmul(rest_D2, sums_B2K)


def aggregate_powers(weights_BTK: Tensor, frames: Frames, dtype: str = "float32") -> tuple[Tensor, Tensor]:
    """Sums over frames of value_d * weight_k and of value_d^2 * weight_k: two (B, D, K) float32."""
    codes, centre = operand(frames.codes, dtype)
    row_BT1, scale_D1 = frames.row[:, :, None], frames.scale[:, None]
    offset_D1, shift_D1 = (frames.offset + centre * frames.scale)[:, None], frames.shift[:, None]
    weights = [weights_BTK, weights_BTK * row_BT1, weights_BTK * ops.square(row_BT1)]
    mass, by_row, by_square = (ops.sum(weight, axis=1, keepdims=True) for weight in weights)
    linear = ops.cast(ops.concatenate(weights[1:], axis=2), dtype)
    product = ops.cast(ops.einsum("btd,btk->bdk", codes, linear), "float32")
    codes_row, codes_square = ops.split(product, 2, axis=2)
    squares = ops.einsum("btd,btk->bdk", ops.square(codes), ops.cast(weights[2], dtype))
    # With u = row * (code * scale + offset), value = u + shift: sums of u and of u^2 first.
    first = codes_row * scale_D1 + offset_D1 * by_row
    second = ops.cast(squares, "float32") * scale_D1**2 + 2.0 * scale_D1 * offset_D1 * codes_square
    second = second + offset_D1**2 * by_square
    return first + shift_D1 * mass, second + 2.0 * shift_D1 * first + shift_D1**2 * mass


def aggregate_through(
    weights_BTGK: Tensor, frames: Frames, basis_NGD: Tensor, dtype: str = "float32"
) -> Tensor:
    """Sum over frames and groups of weight_gk * (value @ basis)_gd: (B, D, K) float32.

    The bytes are summed first, and go through the basis of their group as (B * K, G * N) x (G * N, D).
    """
    codes, centre = operand(frames.codes, dtype)
    width, groups, part = basis_NGD.shape
    length, clusters = weights_BTGK.shape[1], weights_BTGK.shape[3]
    scaled_BTGK = ops.cast(weights_BTGK * frames.row[:, :, None, None], dtype)
    scaled_BKGT = ops.reshape(ops.transpose(scaled_BTGK, (0, 3, 2, 1)), (-1, clusters * groups, length))
    summed = ops.reshape(ops.matmul(scaled_BKGT, codes), (-1, groups * width))
    folded_GND = ops.transpose(frames.scale[:, None, None] * basis_NGD, (1, 0, 2))
    product = ops.matmul(summed, ops.cast(ops.reshape(folded_GND, (-1, part)), dtype))
    product_BKD = ops.reshape(ops.cast(product, "float32"), (-1, clusters, part))
    # What offset and shift come to behind the basis, and the sums that multiply them.
    vectors_2N = ops.stack([frames.offset + centre * frames.scale, frames.shift])
    rest_2GD = ops.einsum("jn,ngd->jgd", vectors_2N, basis_NGD)
    sums = [ops.sum(ops.cast(scaled_BTGK, "float32"), axis=1), ops.sum(weights_BTGK, axis=1)]
    return ops.transpose(
        product_BKD + ops.einsum("bjgk,jgd->bkd", ops.stack(sums, axis=1), rest_2GD), (0, 2, 1)
    )


def masked(tensor_BTK: Tensor, frames: Frames) -> Tensor:
    """The tensor with 0 on padding frames."""
    return tensor_BTK * frames.mask[:, :, None] if frames.padded else tensor_BTK


def floats(frames: Frames) -> Tensor:
    """The values themselves, (B, T, D) float32: for layers that have no other way."""
    values = ops.cast(frames.codes, "float32") * frames.scale + frames.offset
    return frames.row[:, :, None] * values + frames.shift
