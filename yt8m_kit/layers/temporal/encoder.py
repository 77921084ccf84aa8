"""Transformer encoder over frames: tokens, and blocks of self-attention and a feed-forward network.

Shapes: B batch, T frames, S positions (frames, and a class token before them), W width.
Sources: Vaswani et al., "Attention is all you need" (2017); normalization before each part: Xiong et al., "On
layer normalization in the transformer architecture" (2020); class token and learned positions: Devlin et al.,
"BERT" (2019).
"""

import keras
from keras import ops

from yt8m_kit.layers.inputs.frames import Frames
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.layer import Layer, Tensor
from yt8m_kit.layers.temporal.self_attention import SelfAttention

EPSILON = 1e-6
SMALL = 0.02  # standard deviation of tokens and positions at first, as BERT's


def layer_norm(name: str) -> keras.layers.LayerNormalization:
    """Return layer normalization of the last axis, in float32."""
    return keras.layers.LayerNormalization(epsilon=EPSILON, dtype="float32", name=name)


def dropped(rate: float, seed: int, name: str) -> keras.layers.Dropout:
    """Return dropout in float32."""
    return keras.layers.Dropout(rate, seed=seed, dtype="float32", name=name)


class Tokens(Layer):
    """Tokens of a video, frames as BN(x W): Frames -> (B, S, W) float32, and which are real (B, S).

    token: whether a learned vector stands before the frames. positions: whether a learned vector is added for
    each position.
    """

    def __init__(self, width: int, token: bool, positions: bool, name: str | None = None) -> None:
        super().__init__(name)
        self.token, self.positions = token, positions
        self.projection = Projection(width, name="projection")

    def build(self, frames_shape: Frames) -> None:
        width, small = self.projection.clusters, keras.initializers.RandomNormal(stddev=SMALL)
        self.projection.build(frames_shape.codes[-1])
        if self.token:
            self.first = self.weight("token", (width,), small)
        if self.positions:
            length = frames_shape.codes[1] + self.token
            self.vectors = self.weight("positions", (length, width), small)

    def call(self, frames: Frames, training: bool = False) -> tuple[Tensor, Tensor]:
        sequence = self.projection(frames, training=training)
        real = frames.real
        if self.token:
            ones_B1 = ops.ones_like(frames.row[:, :1])
            sequence = ops.concatenate([ones_B1[:, :, None] * self.first, sequence], axis=1)
            real = ops.concatenate([ones_B1, real], axis=1)
        return sequence + self.vectors if self.positions else sequence, real


class EncoderBlock(Layer):
    """Encoder block, y = x + A(LN(x)), y + F(LN(y)): (B, S, W) and real (B, S) -> (B, S, W) float32.

    A: self-attention of `heads` heads; F(x) = gelu(x W + b) V + c with `expansion` * W hidden units.
    rotary: see SelfAttention. dropout: rate, of A and F; seed: of dropout.
    Raises UsageError as SelfAttention does.
    """

    def __init__(
        self,
        heads: int,
        expansion: int = 4,
        rotary: bool = True,
        dropout: float = 0.0,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.expansion = expansion
        self.attention = SelfAttention(heads, rotary, name="attention")
        self.norms = [layer_norm(f"norm_{number}") for number in range(2)]
        self.drops = [dropped(dropout, seed + number, f"dropout_{number}") for number in range(2)]

    def build(self, sequence_shape: tuple[int | None, ...], real_shape: tuple[int | None, ...]) -> None:
        width = sequence_shape[-1] or 0
        hidden = self.expansion * width
        self.attention.build(sequence_shape, real_shape)
        for norm in self.norms:
            norm.build(sequence_shape)
        self.widen = self.weight("widen", (width, hidden))
        self.widen_bias = self.weight("widen_bias", (hidden,), "zeros")
        self.narrow = self.weight("narrow", (hidden, width))
        self.narrow_bias = self.weight("narrow_bias", (width,), "zeros")

    def call(self, sequence: Tensor, real: Tensor, training: bool = False) -> Tensor:
        change = self.attention(self.norms[0](sequence), real)
        sequence = sequence + self.drops[0](change, training=training)
        change = self._feed_forward(self.norms[1](sequence))
        return sequence + self.drops[1](change, training=training)

    def _feed_forward(self, sequence: Tensor) -> Tensor:
        hidden = ops.gelu(self.matmul_frames(sequence, self.widen) + self.widen_bias)
        return self.matmul_frames(hidden, self.narrow) + self.narrow_bias
