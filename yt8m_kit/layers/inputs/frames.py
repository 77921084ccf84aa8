"""Quantized frames with a pending affine map, and the products that apply it.

Dequantization, L2 normalization of a frame, reverse whitening and input BatchNorm compose to

    value = row * scale * (byte - ZERO) + shift

with one factor per frame (row) and two numbers per feature (scale, shift). A matmul with such values is a
matmul with the bytes plus corrections on the small side, so neither the float (B, T, D) tensor nor its
gradient is ever allocated. Outputs and gradients equal those of the explicit computation up to rounding.

Shapes: B batch, T frames, D features, K clusters (or any other width that frames are projected to), R rounds
of sampling. Pooled over frames, R rounds are R * B rows, round by round within a video.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import keras
from keras import ops

from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, Dataset
from yt8m_kit.layers.layer import Layer, Tensor
from yt8m_kit.layers.maximum import maximum

# The byte that dequantizes to 0: 127.002. bfloat16 rounds it to 127, which shifts values by 2 % of the
# quantization error; the differences byte - 127 are exact.
ZERO = -DEQUANTIZE_OFFSET / DEQUANTIZE_SCALE


class Frames(NamedTuple):
    """A batch of frames, value = row * scale * (codes - ZERO) + shift.

    codes: (B, T, D) uint8. row: (B, T) float32, 0 on padding. scale, shift: (D,) float32.
    mask: (B, T) float32, 1 for real frames and 0 for padding; (B, 0), after sampling, if no frame is
    padding and nothing is masked. The value of a padding frame is shift, as for a frame of zeros.
    Of R rounds of sampling at once, mask is (B, R, T): how often each round has the frame.
    """

    codes: Tensor
    row: Tensor
    mask: Tensor
    scale: Tensor
    shift: Tensor

    @property
    def padded(self) -> bool:
        """Whether frames may be padding; static, known when the graph is built."""
        return int(self.mask.shape[1]) > 0

    @property
    def real(self) -> Tensor:
        """(B, T) float32: 1 for real frames, 0 for padding."""
        return self.mask if self.padded else ops.ones_like(self.row)

    @property
    def rounds(self) -> int | None:
        """R where several rounds of sampling are computed at once; static."""
        return int(self.mask.shape[1]) if len(self.mask.shape) == 3 else None


def video_inputs(dataset: Dataset) -> dict[str, Tensor]:
    """Return the inputs of every model: frames (B, T, D) uint8, zero-padded, and num_frames (B,) int32."""
    shape = (dataset.max_frames, dataset.width)
    return {
        "frames": keras.Input(shape, dtype="uint8", name="frames"),
        "num_frames": keras.Input((), dtype="int32", name="num_frames"),
    }


def dequantized(codes: Tensor, row: Tensor, mask: Tensor) -> Frames:
    """Return Frames of dequantized codes (B, T, D) uint8; row: (B, T), 1 for real frames, 0 for padding."""
    width = codes.shape[-1]
    return Frames(codes, row, mask, ops.full((width,), DEQUANTIZE_SCALE), ops.zeros((width,)))


def widths_of(dataset: Dataset) -> tuple[int, ...]:
    """Return the widths of the features (visual, audio) of the dataset."""
    return tuple(width for _, width in dataset.features)


def split(frames: Frames, dataset: Dataset) -> list[Frames]:
    """Split Frames by feature (visual, audio) of the dataset; row factors remain those of the whole frame."""
    if len(dataset.features) == 1:
        return [frames]
    return [
        Select(columns, name=f"select_{name}")(frames)
        for columns, (name, _) in zip(columns_of(widths_of(dataset)), dataset.features)
    ]


def columns_of(widths: Sequence[int]) -> list[slice]:
    """Return the columns of features that follow each other."""
    ends = list(accumulate(widths))
    return [slice(end - width, end) for end, width in zip(ends, widths)]


def pieces(tensor: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """Split the last axis into features of these widths, as Select does; one width or none: the tensor."""
    if len(widths) < 2:
        return [tensor]
    before = (slice(None),) * (len(tensor.shape) - 1)
    return [tensor[(*before, columns)] for columns in columns_of(widths)]


class Select(Layer):
    """Slice of the features: Frames (B, T, D) -> Frames (B, T, width of `columns`)."""

    def __init__(self, columns: slice, name: str | None = None) -> None:
        super().__init__(name)
        self.columns = columns

    def call(self, frames: Frames) -> Frames:
        return frames._replace(
            codes=frames.codes[:, :, self.columns],
            scale=frames.scale[self.columns],
            shift=frames.shift[self.columns],
        )


def gather(tensor: Tensor, indices: Tensor) -> Tensor:
    """Gather rows of (B, T, ...) at indices (B, S) int32: (B, S, ...).

    In TensorFlow by one take on the flattened tensor, as indices broadcast over D would be larger than the
    frames. JAX does not broadcast them, and a flattened tensor would be sent to each of several devices.
    """
    if keras.backend.backend() == "jax":
        trailing = (1,) * (len(tensor.shape) - 2)
        return ops.take_along_axis(tensor, ops.reshape(indices, (*indices.shape, *trailing)), axis=1)
    frames, rest = tensor.shape[1], tuple(tensor.shape[2:])
    starts = ops.arange(ops.shape(tensor)[0], dtype="int32") * frames
    flat = ops.reshape(tensor, (-1, *rest))
    return ops.take(flat, ops.cast(indices, "int32") + starts[:, None], axis=0)


def centred(codes: Tensor, dtype: str) -> Tensor:
    """Cast codes to dtype and subtract ZERO, as an operand of a matmul; the shape is kept."""
    return ops.cast(codes, dtype) - ops.cast(ZERO, dtype)


def project(frames: Frames, kernel: Tensor, dtype: str = "float32") -> Tensor:
    """Multiply the values by a kernel: (B, T, D) x (D, K) -> (B, T, K) float32; the matmul is in dtype.

    Time-major frames (T, B, D) give (T, B, K).
    """
    varying_BTK, constant_K = project_terms(frames, kernel, dtype)
    return varying_BTK + constant_K


def project_terms(frames: Frames, kernel: Tensor, dtype: str = "float32") -> tuple[Tensor, Tensor]:
    """Return the terms of `project`: that of the bytes (B, T, K) and that of the shift (K,), both float32."""
    width, columns = kernel.shape
    folded_DK = ops.cast(frames.scale[:, None] * kernel, dtype)
    if keras.backend.backend() == "jax":  # which flattens by itself where videos are not divided over devices
        product = ops.matmul(centred(frames.codes, dtype), folded_DK)
        return frames.row[:, :, None] * ops.cast(product, "float32"), ops.matmul(frames.shift, kernel)
    product = ops.matmul(ops.reshape(centred(frames.codes, dtype), (-1, width)), folded_DK)
    length, second = frames.codes.shape[:2]
    shape = (-1, second, columns) if second is not None else (length, -1, columns)
    product_BTK = ops.reshape(ops.cast(product, "float32"), shape)
    return frames.row[:, :, None] * product_BTK, ops.matmul(frames.shift, kernel)


def aggregate(
    weights_BTK: Tensor, frames: Frames, dtype: str = "float32", centres_DK: Tensor | None = None
) -> Tensor:
    """Sum weight_k * (value_d - centre_dk) over frames: (B, D, K) float32.

    weights: (B, T, K) float32, or (B, T, R, K) of R rounds; padding counts unless its weight is 0.
    centres: (D, K), None for zeros. dtype: of the matmul.
    """
    product_BDK = _products(centred(frames.codes, dtype), weights_BTK, frames.row, dtype)
    product_BDK = product_BDK * _along(frames.scale, product_BDK)
    rest_DK = frames.shift[:, None] if centres_DK is None else frames.shift[:, None] - centres_DK
    return product_BDK + rest_DK * total(weights_BTK)[:, None, :]


def aggregate_powers(weights_BTK: Tensor, frames: Frames, dtype: str = "float32") -> tuple[Tensor, Tensor]:
    """Sum weight_k * value_d and weight_k * value_d^2 over frames: two (B, D, K) float32.

    weights: (B, T, K) float32, or (B, T, R, K) of R rounds; padding counts unless its weight is 0.
    dtype: of the matmuls.
    """
    codes = centred(frames.codes, dtype)
    linear = _products(codes, weights_BTK, frames.row, dtype)
    square = _products(ops.square(codes), weights_BTK, ops.square(frames.row), dtype)
    # With value = u + shift, from the sums of u and of u^2.
    scale_BD1, shift_D1 = _along(frames.scale, linear), frames.shift[:, None]
    mass_B1K, first = total(weights_BTK)[:, None, :], linear * scale_BD1
    second = square * ops.square(scale_BD1) + 2.0 * shift_D1 * first + ops.square(shift_D1) * mass_B1K
    return first + shift_D1 * mass_B1K, second


def _products(codes_BTD: Tensor, weights_BTK: Tensor, row_BT: Tensor, dtype: str) -> Tensor:
    """Sum code_d * row * weight_k over frames: (B, D, K) float32; weights: (B, T, K) or (B, T, R, K)."""
    length, *rest = weights_BTK.shape[1:]
    flat_BTK = weights_BTK if len(rest) == 1 else ops.reshape(weights_BTK, (-1, length, rest[0] * rest[1]))
    scaled_BTK = ops.cast(flat_BTK * row_BT[:, :, None], dtype)
    product_BDK = ops.cast(ops.einsum("btd,btk->bdk", codes_BTD, scaled_BTK), "float32")
    if len(rest) == 1:
        return product_BDK
    width = codes_BTD.shape[2]
    product_BRDK = ops.transpose(ops.reshape(product_BDK, (-1, width, *rest)), (0, 2, 1, 3))
    return ops.reshape(product_BRDK, (-1, width, rest[1]))


def aggregate_through(
    scaled_BTGK: Tensor, mass_BGK: Tensor, frames: Frames, basis_NGD: Tensor, dtype: str = "float32"
) -> Tensor:
    """Sum weight_gk * (value @ basis)_gd over frames and groups: (B, D, K) float32.

    scaled: weights times the row factor of their frame, (B, T, G, K) float32; mass: the weights' sums over
    frames. basis: (N, G, D), N features to G groups of D. The sum over frames is taken before the matmul with
    the basis, which is then (B * K, G * N) x (G * N, D). dtype: of the matmuls.
    """
    width, groups, part = basis_NGD.shape
    length, clusters = scaled_BTGK.shape[1], scaled_BTGK.shape[3]
    scaled_BKGT = ops.transpose(ops.cast(scaled_BTGK, dtype), (0, 3, 2, 1))
    scaled_BKGT = ops.reshape(scaled_BKGT, (-1, clusters * groups, length))
    summed = ops.reshape(ops.matmul(scaled_BKGT, centred(frames.codes, dtype)), (-1, groups * width))
    basis_NGD = ops.cast(basis_NGD, "float32")  # a graph may give matrices as bfloat16
    folded_GND = ops.transpose(frames.scale[:, None, None] * basis_NGD, (1, 0, 2))
    product = ops.matmul(summed, ops.cast(ops.reshape(folded_GND, (-1, part)), dtype))
    product_BKD = ops.reshape(ops.cast(product, "float32"), (-1, clusters, part))
    shift_GD = ops.einsum("n,ngd->gd", frames.shift, basis_NGD)
    rest_BKD = ops.einsum("bgk,gd->bkd", mass_BGK, shift_GD)
    return ops.transpose(product_BKD + rest_BKD, (0, 2, 1))


def _along(vector_D: Tensor, like_BDK: Tensor) -> Tensor:
    """Broadcast (D,) to (B, D, 1): its gradient is then two fast sums, over K and B, not one over both."""
    shape = (ops.shape(like_BDK)[0], vector_D.shape[0])
    return ops.broadcast_to(vector_D, shape)[:, :, None]


def masked(tensor_BTK: Tensor, frames: Frames) -> Tensor:
    """Set a (B, T, K) tensor to 0 on padding frames; of R rounds, multiply by the mask: (B, T, R, K)."""
    if frames.rounds:
        return tensor_BTK[:, :, None, :] * ops.transpose(frames.mask, (0, 2, 1))[:, :, :, None]
    return tensor_BTK * frames.mask[:, :, None] if frames.padded else tensor_BTK


def total(weights_BTK: Tensor) -> Tensor:
    """Sum weights over frames: (B, T, K) -> (B, K); of R rounds, (B, T, R, K) -> (R * B, K)."""
    sums = ops.sum(weights_BTK, axis=1)
    return sums if len(sums.shape) == 2 else ops.reshape(sums, (-1, sums.shape[2]))


def frame_sum(tensor_BTK: Tensor, frames: Frames) -> Tensor:
    """Sum over frames without padding: (B, T, K) -> (B, K); of R rounds (R * B, K), by one matmul."""
    if not frames.rounds:
        return ops.sum(masked(tensor_BTK, frames), axis=1)
    return ops.reshape(ops.matmul(frames.mask, tensor_BTK), (-1, tensor_BTK.shape[2]))


def frame_max(tensor_BTK: Tensor, frames: Frames) -> Tensor:
    """Maximum over frames without padding: (B, T, K) -> (B, K); of R rounds (R * B, K).

    Where there is padding, or rounds leave frames out, it is 0 if all values are below.
    """
    if not frames.rounds:
        return maximum(masked(tensor_BTK, frames))
    present = ops.cast(frames.mask > 0, "float32")
    rounds = [maximum(tensor_BTK * present[:, r, :, None]) for r in range(frames.rounds)]
    return ops.reshape(ops.stack(rounds, axis=1), (-1, tensor_BTK.shape[2]))


def floats(frames: Frames) -> Tensor:
    """Compute the values, (B, T, D) float32, for layers that cannot work on the bytes."""
    return frames.row[:, :, None] * (centred(frames.codes, "float32") * frames.scale) + frames.shift


class Floats(Layer):
    """Values of frames, `floats` as a layer: Frames -> (B, T, D) float32."""

    def call(self, frames: Frames) -> Tensor:
        return floats(frames)
