"""Recurrent layers over frames, with the input's part of the gates as one matmul over all of them.

Shapes: B batch, T frames, I inputs, H units, G width of all gates (3 H for a GRU, 4 H for an LSTM). Sequences
are time-major, (T, B, H): only bytes are transposed.
Sources: Cho et al. (2014) for the GRU; Hochreiter, Schmidhuber (1997) for the LSTM.
"""

from collections.abc import Callable

import keras
from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames, gather, project
from yt8m_kit.layers.layer import Layer, Tensor
from yt8m_kit.layers.temporal import cells


class Recurrent(Layer):
    """GRU or LSTM layer: Frames or (T, B, I), and a mask -> sequence (T, B, H), last states (B, H) each.

    cell: "gru" (last state h) or "lstm" (last states h and c). real: mask (B, T), or (B, 0) without padding.
    States are kept on padding, so the last ones are those after the last real frame. Kernels and biases are
    initialized as in TensorFlow 1's cells: bias 1 for a GRU's gates, 0 for its candidate; 1 is added to an
    LSTM's forget gate.
    """

    def __init__(self, cell: str, units: int, name: str | None = None) -> None:
        super().__init__(name)
        self.cell, self.units = cell, units

    def build(
        self, inputs_shape: Frames | tuple[int | None, ...], real_shape: tuple[int | None, ...]
    ) -> None:
        shape = inputs_shape.codes if isinstance(inputs_shape, Frames) else inputs_shape
        gates = (3 if self.cell == "gru" else 4) * self.units
        width = shape[-1] or 0
        self.kernel = self.weight("kernel", (width, gates), self._uniform(width))
        self.recurrent_kernel = self.weight("recurrent_kernel", (self.units, gates), self._uniform(width))
        self.bias = self.weight("bias", (gates,), self._bias if self.cell == "gru" else "zeros")

    def _uniform(self, width: int) -> Callable[..., Tensor]:
        """Return Glorot's uniform initializer as in TensorFlow 1's cells: fan-in I + H, gates in blocks."""
        blocks = [block * self.units for block in ((2, 1) if self.cell == "gru" else (4,))]
        limits = [(6 / (width + self.units + block)) ** 0.5 for block in blocks]

        def initialize(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
            parts = [
                keras.initializers.RandomUniform(-limit, limit)((shape[0], block), dtype=dtype)
                for block, limit in zip(blocks, limits)
            ]
            return ops.concatenate(parts, axis=1)

        return initialize

    def _bias(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        return ops.cast(ops.arange(shape[0]) < 2 * self.units, dtype or "float32")

    def call(
        self, inputs: Frames | Tensor, real: Tensor, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        gates_TBG = self._gates(inputs) + self.bias
        ones = ops.ones_like(gates_TBG[:, :, :1])
        real_TB1 = ops.transpose(real)[:, :, None] if real.shape[1] else ones
        # The sum is a tensor: TensorFlow's custom gradients treat variables differently.
        kernel = self.recurrent_kernel + 0.0
        if self.cell == "gru":
            sequence = cells.gru(gates_TBG, kernel, real_TB1, self.compute_dtype, training)
            return sequence, [sequence[-1]]
        sequence, last = cells.lstm(gates_TBG, kernel, real_TB1, self.compute_dtype, training)
        return sequence, [sequence[-1], last]

    def _gates(self, inputs: Frames | Tensor) -> Tensor:
        if not isinstance(inputs, Frames):
            return self.matmul(inputs, self.kernel)
        turned = inputs._replace(codes=ops.transpose(inputs.codes, (1, 0, 2)), row=ops.transpose(inputs.row))
        return project(turned, self.kernel, self.compute_dtype)


class ReverseFrames(Layer):
    """Reversal in time: Frames -> Frames, real frames in reverse order, padding still last."""

    def call(self, frames: Frames) -> Frames:
        indices = reversed_positions(frames.mask, frames.codes.shape[1], ops.shape(frames.codes)[0])
        return frames._replace(codes=gather(frames.codes, indices), row=gather(frames.row, indices))


class ReverseSequence(Layer):
    """Reversal in time: (T, B, H) and mask -> (T, B, H), real frames reversed, padding still last."""

    def call(self, sequence: Tensor, real: Tensor) -> Tensor:
        length, batch = sequence.shape[0], ops.shape(sequence)[1]
        indices_TB = ops.transpose(reversed_positions(real, length, batch))
        if keras.backend.backend() == "jax":  # as layers.inputs.frames.gather
            return ops.take_along_axis(sequence, indices_TB[:, :, None], axis=0)
        flat = indices_TB * batch + ops.arange(batch, dtype="int32")
        width = sequence.shape[2]
        taken = ops.take(ops.reshape(sequence, (-1, width)), ops.reshape(flat, (-1,)), axis=0)
        return ops.reshape(taken, (length, -1, width))


def reversed_positions(mask: Tensor, length: int, batch: Tensor) -> Tensor:
    """Compute indices (B, T) int32 that reverse the n real frames: n - 1 - t for them, t for padding."""
    positions = ops.arange(length, dtype="int32")[None, :]
    if not mask.shape[1]:
        return ops.broadcast_to(length - 1 - positions, (batch, length))
    counts = ops.cast(ops.sum(mask, axis=1, keepdims=True), "int32")
    return ops.where(positions < counts, counts - 1 - positions, positions)


def stack(
    cell: str, frames: Frames, units: int, layers: int, bidirectional: int | None = None
) -> list[list[Tensor]]:
    """Stack recurrent layers; return the last states of each, lowest first, (B, H) each.

    bidirectional: units per direction of a bidirectional layer below them, None for none.
    Raises UsageError for layers < 1.
    """
    if layers < 1:
        raise UsageError(f"layers must be at least 1; got layers={layers}.")
    mask, states, sequence = frames.mask, [], frames
    if bidirectional:
        ahead, ahead_states = Recurrent(cell, bidirectional, name="forward")(frames, mask)
        turned = ReverseFrames(name="reverse_frames")(frames)
        back, back_states = Recurrent(cell, bidirectional, name="backward")(turned, mask)
        back = ReverseSequence(name="reverse_sequence")(back, mask)
        sequence = ops.concatenate([ahead, back], axis=2)
        states.append([*ahead_states, *back_states])
    for number in range(layers):
        sequence, last = Recurrent(cell, units, name=f"{cell}_{number}")(sequence, mask)
        states.append(last)
    return states
