"""Frame sampling: random while training, every real frame first and then fixed draws at prediction.

Shapes: B batch, T frames of the input, S draws, D features.
"""

import keras
import numpy as np
from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames, dequantized, gather
from yt8m_kit.layers.layer import Layer, Tensor


class Sample(Layer):
    """Frames to pool over: (B, T, D) uint8 bytes and (B,) int32 num_frames -> Frames.

    draws: S, frames drawn with replacement while training: floor(U * n), independently for every video
    (the winning kits of 2017 and 2018). At prediction positions 0..n-1 are the real frames in order, the
    others are draws (first place's `sample_all`, +0.0015 GAP); where a video has more frames than S, the
    draws are one from each of S equal stretches. The uniforms of these draws are constants, the same for
    every video: a prediction depends neither on the batch nor on the run.
    None: no sampling, all T frames with their mask.

    The attribute `round` picks other constants; see average_rounds. Raises UsageError for draws < 1.
    """

    def __init__(self, draws: int | None, seed: int = 0, name: str | None = None) -> None:
        super().__init__(name)
        if draws is not None and draws < 1:
            raise UsageError(f"draws must be at least 1, or None for all frames; got draws={draws}.")
        self.draws = draws
        self.seed = seed
        self.round = 0
        self.generator = None if draws is None else keras.random.SeedGenerator(seed)

    def call(self, frames: Tensor, num_frames: Tensor, training: bool = False) -> Frames:
        length = frames.shape[1]
        num_frames = ops.minimum(ops.cast(num_frames, "int32"), length)
        if self.draws is None:
            mask = ops.cast(ops.arange(length) < num_frames[:, None], "float32")
            return dequantized(frames, mask, mask)
        indices = self._draw(num_frames, self.draws) if training else self._cover(num_frames, self.draws)
        # A video without frames is one frame of padding.
        row = ops.cast(num_frames[:, None] > 0, "float32") * ops.ones((1, self.draws))
        return dequantized(gather(frames, indices), row, row[:, :0])

    def _draw(self, num_frames: Tensor, draws: int) -> Tensor:
        shape = (ops.shape(num_frames)[0], draws)
        return _scale(keras.random.uniform(shape, dtype="float32", seed=self.generator), num_frames)

    def _cover(self, num_frames: Tensor, draws: int) -> Tensor:
        uniforms = np.random.default_rng([self.seed, self.round]).random(draws, dtype=np.float32)
        positions = np.arange(draws, dtype=np.int32)
        spread = _scale(((positions + uniforms) / draws).astype(np.float32), num_frames)
        cover = ops.where(positions < num_frames[:, None], positions, _scale(uniforms, num_frames))
        return ops.where(num_frames[:, None] > draws, spread, cover)


class Segments(Layer):
    """Frames spread over a video: (B, T, D) uint8 bytes, (B,) int32 num_frames -> Frames without padding.

    The n real frames are cut into equal segments: while training, one random frame from each of `training`
    segments; at prediction, the middle one of each of `prediction`. Frames repeat where a video has fewer.
    Raises UsageError for counts < 1.
    Source: Wang et al., "Temporal segment networks" (2016).
    """

    def __init__(self, training: int, prediction: int, seed: int = 0, name: str | None = None) -> None:
        super().__init__(name)
        if training < 1 or prediction < 1:
            raise UsageError(
                f"segments must be at least 1; got {training} to train, {prediction} to predict."
            )
        self.counts = {True: training, False: prediction}
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, frames: Tensor, num_frames: Tensor, training: bool = False) -> Frames:
        num_frames = ops.minimum(ops.cast(num_frames, "int32"), frames.shape[1])
        count = self.counts[bool(training)]
        within = 0.5
        if training:
            shape = (ops.shape(num_frames)[0], count)
            within = keras.random.uniform(shape, dtype="float32", seed=self.generator)
        positions = (ops.arange(count, dtype="float32") + within) / count
        indices = _scale(positions * ops.ones_like(num_frames[:, None], dtype="float32"), num_frames)
        row = ops.cast(num_frames[:, None] > 0, "float32") * ops.ones((1, count))
        return dequantized(gather(frames, indices), row, row[:, :0])


def _scale(uniforms: Tensor, num_frames: Tensor) -> Tensor:
    """floor(U * n) as int32, kept below n where float32 rounds U * n up to it."""
    counts = num_frames[:, None]
    drawn = ops.cast(ops.floor(uniforms * ops.cast(counts, "float32")), "int32")
    return ops.maximum(ops.minimum(drawn, counts - 1), 0)


def average_rounds(model: keras.Model, inputs: dict[str, Tensor], rounds: int) -> Tensor:
    """Mean probabilities of `rounds` predictions with different constant draws.

    A model that does not sample has nothing to average and is run once. The rounds are read while the graph
    is traced: call this inside the function that is traced or exported. Raises UsageError for rounds < 1.
    """
    if rounds < 1:
        raise UsageError(f"rounds must be at least 1; got rounds={rounds}.")
    samples = [layer for layer in model.layers if isinstance(layer, Sample) and layer.draws is not None]
    if not samples:
        return model(inputs, training=False)
    before = [layer.round for layer in samples]
    try:
        predictions = []
        for number in range(rounds):
            for layer in samples:
                layer.round = number
            predictions.append(model(inputs, training=False))
        return sum(predictions) / rounds
    finally:
        for layer, number in zip(samples, before):
            layer.round = number
