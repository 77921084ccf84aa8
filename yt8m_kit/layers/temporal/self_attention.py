"""Self-attention over frames, with positions by rotation or by a learned vector for each.

Shapes: B batch, T frames, S positions (frames, and a class token before them), W width, N heads, H = W / N.
Sources: Vaswani et al., "Attention is all you need" (2017), section 3.2; Su et al., "RoFormer: enhanced
transformer with rotary position embedding" (2021), section 3.2.
"""

import numpy as np
from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.layer import Layer, Tensor

SLOWEST = 10_000.0  # positions of the slowest rotation's radian


class SelfAttention(Layer):
    """Multi-head self-attention: (B, S, W) and which positions are real (B, S) -> (B, S, W) float32.

    Each head has softmax(q k^T / sqrt(H)) v over real positions; rotary: queries and keys are rotated by
    their position. The output on positions that are not real is undefined.
    Raises UsageError where heads do not divide W, and for rotations of an odd number of features.
    """

    def __init__(self, heads: int, rotary: bool = True, name: str | None = None) -> None:
        super().__init__(name)
        self.heads, self.rotary = heads, rotary

    def build(self, sequence_shape: tuple[int | None, ...], real_shape: tuple[int | None, ...]) -> None:
        width = sequence_shape[-1] or 0
        if width % self.heads:
            raise UsageError(f"width must be divisible by heads; got width={width}, heads={self.heads}.")
        if self.rotary and width // self.heads % 2:
            raise UsageError(f"rotary positions need an even width of a head; got {width // self.heads}.")
        shape = (width, width)
        self.query, self.key, self.value, self.out = (
            self.weight(name, shape) for name in ("query", "key", "value", "out")
        )

    def call(self, sequence: Tensor, real: Tensor) -> Tensor:
        queries, keys, values = (
            self._heads(self.matmul_frames(sequence, kernel)) for kernel in (self.query, self.key, self.value)
        )
        if self.rotary:
            queries, keys = rotated(queries), rotated(keys)
        dtype, width = self.compute_dtype, queries.shape[-1]
        queries, keys, values = (ops.cast(each, dtype) for each in (queries, keys, values))
        logits_BNSZ = ops.cast(ops.einsum("bsnh,bznh->bnsz", queries, keys), "float32") * width**-0.5
        attention = ops.softmax(logits_BNSZ - 1e9 * (1.0 - real[:, None, None, :]))
        mixed = ops.einsum("bnsz,bznh->bsnh", ops.cast(attention, dtype), values)
        return self.matmul_frames(ops.reshape(mixed, (-1, *sequence.shape[1:])), self.out)

    def _heads(self, projected: Tensor) -> Tensor:
        length, width = projected.shape[1:]
        return ops.reshape(projected, (-1, length, self.heads, width // self.heads))


def rotated(heads_BSNH: Tensor) -> Tensor:
    """Rotate pairs of features (i, i + H / 2) by position * SLOWEST^(-2 i / H): (B, S, N, H) -> the same."""
    length, half = heads_BSNH.shape[1], heads_BSNH.shape[-1] // 2
    angles = np.arange(length)[:, None] * SLOWEST ** (-np.arange(half) / half)
    cosines, sines = (wave(angles).astype(np.float32)[:, None, :] for wave in (np.cos, np.sin))
    first, second = heads_BSNH[..., :half], heads_BSNH[..., half:]
    return ops.concatenate([first * cosines - second * sines, first * sines + second * cosines], axis=-1)
