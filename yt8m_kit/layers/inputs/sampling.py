"""Frame sampling: random in training; at prediction all real frames, then fixed draws.

Shapes: B batch, T frames of the input, S draws, D features, R rounds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames, dequantized, gather
from yt8m_kit.layers.layer import Layer, Tensor


class Sample(Layer):
    """Random frames of a video: (B, T, D) uint8 and num_frames (B,) int32 -> Frames (B, S, D).

    draws: S. In training, frames are drawn with replacement, floor(U * n), independently for each video
    (WILLOW 2017, first place 2018). At prediction, positions 0..n-1 are the real frames in order and the rest
    are draws (first place's `sample_all`, +0.0015 GAP); of a video of more than S frames, one frame is drawn
    from each of S equal segments. The uniforms of these draws are constants shared by all videos, so a
    prediction depends neither on the batch nor on the run.
    None: no sampling; all T frames with their mask.
    ordered: False if what follows takes frames as a multiset, with multiplicities in Frames.mask (B, R, T);
    several rounds are then computed at once, from all T frames (B, T, D).

    The attribute `round` selects other constants, `rounds` how many rounds are computed at once; see
    average_rounds. Raises UsageError for draws < 1.
    """

    def __init__(
        self, draws: int | None, seed: int = 0, ordered: bool = True, name: str | None = None
    ) -> None:
        super().__init__(name)
        if draws is not None and draws < 1:
            raise UsageError(f"draws must be at least 1, or None for all frames; got draws={draws}.")
        self.draws = draws
        self.seed = seed
        self.ordered = ordered
        self.round, self.rounds = 0, 1
        self.generator = None if draws is None else keras.random.SeedGenerator(seed)

    def call(self, frames: Tensor, num_frames: Tensor, training: bool = False) -> Frames:
        length = frames.shape[1]
        num_frames = ops.minimum(ops.cast(num_frames, "int32"), length)
        if self.draws is None:
            mask = ops.cast(ops.arange(length) < num_frames[:, None], "float32")
            return dequantized(frames, mask, mask)
        if self.rounds > 1 and not training:
            return self._all_rounds(frames, num_frames, self.draws)
        indices = (
            self._draw(num_frames, self.draws)
            if training
            else self._cover(num_frames, self.draws, self.round)
        )
        # A video without frames is sampled as padding.
        row = ops.cast(num_frames[:, None] > 0, "float32") * ops.ones((1, self.draws))
        return dequantized(gather(frames, indices), row, row[:, :0])

    def _draw(self, num_frames: Tensor, draws: int) -> Tensor:
        shape = (ops.shape(num_frames)[0], draws)
        return _scale(keras.random.uniform(shape, dtype="float32", seed=self.generator), num_frames)

    def _all_rounds(self, frames: Tensor, num_frames: Tensor, draws: int) -> Frames:
        indices = [self._cover(num_frames, draws, number) for number in range(self.rounds)]
        mask_BRT = _multiplicities(ops.stack(indices, axis=1), frames.shape[1])
        row = ops.cast(num_frames[:, None] > 0, "float32") * ops.ones((1, frames.shape[1]))
        return dequantized(frames, row, mask_BRT)

    def _cover(self, num_frames: Tensor, draws: int, number: int) -> Tensor:
        uniforms = np.random.default_rng([self.seed, number]).random(draws, dtype=np.float32)
        positions = np.arange(draws, dtype=np.int32)
        spread = _scale(((positions + uniforms) / draws).astype(np.float32), num_frames)
        cover = ops.where(positions < num_frames[:, None], positions, _scale(uniforms, num_frames))
        return ops.where(num_frames[:, None] > draws, spread, cover)


class Segments(Layer):
    """One frame of each of S equal segments: (B, T, D) uint8 and num_frames (B,) int32 -> Frames (B, S, D).

    training: S in training, where frames are random; prediction: S at prediction, where they are the middle
    ones. Frames repeat if a video has fewer than S. Raises UsageError for counts < 1.
    Source: Wang et al., "Temporal segment networks" (2016).
    """

    def __init__(self, training: int, prediction: int, seed: int = 0, name: str | None = None) -> None:
        super().__init__(name)
        if training < 1 or prediction < 1:
            raise UsageError(
                f"segments must be at least 1; got training={training}, prediction={prediction}."
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
    """Compute floor(U * n) as int32, clipped to n - 1 because float32 can round U * n up to n."""
    counts = num_frames[:, None]
    drawn = ops.cast(ops.floor(uniforms * ops.cast(counts, "float32")), "int32")
    return ops.maximum(ops.minimum(drawn, counts - 1), 0)


def _multiplicities(indices_BRS: Tensor, length: int) -> Tensor:
    """Count how often each of T frames occurs among the indices of a round: (B, R, T) float32; T: length."""
    rounds, draws = indices_BRS.shape[1:]
    rows = ops.shape(indices_BRS)[0] * rounds
    flat = ops.reshape(indices_BRS, (-1, draws)) + length * ops.arange(rows, dtype="int32")[:, None]
    flat = ops.reshape(flat, (-1,))
    counts = ops.segment_sum(ops.ones_like(flat, dtype="float32"), flat, rows * length)
    return ops.reshape(counts, (-1, rounds, length))


def average_rounds(model: keras.Model, inputs: dict[str, Tensor], rounds: int) -> Tensor:
    """Average `rounds` predictions with different constant draws: (B, C) float32.

    inputs: as of yt8m_kit.models. A model that does not sample is run once. One that takes frames as a
    multiset is run once if all rounds together draw at least T frames: projections and assignments of frames
    are shared, pooling and what follows are computed for R * B rows. Rounds are read while the graph is
    traced, so call this inside the traced or exported function. Raises UsageError for rounds < 1.
    """
    if rounds < 1:
        raise UsageError(f"rounds must be at least 1; got rounds={rounds}.")
    samples = [layer for layer in model.layers if isinstance(layer, Sample) and layer.draws is not None]
    if not samples:
        return model(inputs, training=False)
    if rounds > 1 and all(_is_shared(layer, rounds, inputs["frames"].shape[1]) for layer in samples):
        with _setting(samples, "rounds", rounds):
            predictions_NC = model(inputs, training=False)
        return ops.mean(ops.reshape(predictions_NC, (-1, rounds, predictions_NC.shape[1])), axis=1)
    predictions = []
    for number in range(rounds):
        with _setting(samples, "round", number):
            predictions.append(model(inputs, training=False))
    return sum(predictions) / rounds


def _is_shared(layer: Sample, rounds: int, length: int) -> bool:
    """Whether a layer's rounds are computed at once."""
    return not layer.ordered and rounds * (layer.draws or length) >= length


@contextmanager
def _setting(samples: Sequence[Sample], attribute: str, value: int) -> Iterator[None]:
    """Set an attribute of the layers for a while."""
    before = [getattr(layer, attribute) for layer in samples]
    try:
        for layer in samples:
            setattr(layer, attribute, value)
        yield
    finally:
        for layer, old in zip(samples, before):
            setattr(layer, attribute, old)
