"""Adam as in the winning solutions, gradients clipped per variable, and its learning rate."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from yt8m_kit.dataset import Dataset
from yt8m_kit.layers.losses import LabelLoss
from yt8m_kit.recipe import Member

# Smallest variable (in weights) whose update is worth compiling: 0.1 to 0.2 s each.
LARGE = 1 << 14


class ClippedAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Keras' Adam on gradients clipped to an L2 norm of at most `clip_norm`, variable by variable.

    compiler: None, or a function that compiles the update of a large variable. The norm is not compiled: it
    takes XLA longer than all the rest. squares: returns the sum of a gradient's squares; a dot product of the
    gradient with itself would be ten times slower, and 8 % off for 70 million numbers.
    """

    def __init__(self, learning_rate: Any, *, clip_norm: float, **settings: Any) -> None:
        super().__init__(learning_rate, **settings)
        self.clip_norm = clip_norm
        self.compiler: Callable[[Callable[..., None]], Callable[..., None]] | None = None
        self.squares: Callable[[Any], Any] = lambda gradient: ops.sum(ops.square(gradient))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable; called by apply()."""
        scale = self.clip_norm / ops.maximum(ops.sqrt(self.squares(gradient)), self.clip_norm)
        adam = super().update_step

        def update(gradient: Any, scale: Any, learning_rate: Any) -> None:
            adam(gradient * scale, variable, learning_rate)

        if self.compiler and math.prod(variable.shape) >= LARGE:
            update = self.compiler(update)
        update(gradient, scale, ops.cast(learning_rate, "float32"))


class Length(NamedTuple):
    """Length of a training in updates, and updates of an epoch (None where the schedule needs none)."""

    total: int
    epoch: float | None = None


class EpochSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A member's learning rate by epochs: divided by ten at `steps_down`, or half a cosine; after a warm-up.

    Update u, from 0, has the rate of its beginning: the first one of an epoch in `steps_down` has the lower
    rate. In a warm-up of w updates the factor is (u + 1) / w; the cosine goes from its end to 0 at the last
    update's end. Source: Loshchilov & Hutter, "SGDR" (2017), without restarts; Goyal et al., "Accurate, large
    minibatch SGD" (2017), section 2.2.
    """

    def __init__(self, member: Member, rate: float, length: Length) -> None:
        self.rate, self.accumulate, self.is_cosine = rate, member.accumulate, member.schedule == "cosine"
        self.total = length.total
        epoch = length.epoch or 0.0
        self.warm_up = math.ceil(member.warm_up * epoch)
        self.drops = [math.ceil(each * epoch) for each in member.steps_down]
        self.staircase = _staircase(member, rate) if not (self.is_cosine or self.drops) else None

    def __call__(self, step: Any) -> Any:
        """The rate of the step-th batch, of which `accumulate` make an update."""
        update = ops.cast(ops.floor_divide(step, self.accumulate), "float32")
        rate = self.staircase(step) if self.staircase else self.rate * self._factor(update)
        return rate * ops.minimum((update + 1) / max(self.warm_up, 1), 1.0)

    def _factor(self, update: Any) -> Any:
        if self.is_cosine:
            done = (update - self.warm_up) / max(self.total - self.warm_up, 1)
            return (1 + ops.cos(math.pi * ops.clip(done, 0.0, 1.0))) / 2
        factor = ops.ones_like(update)
        for drop in self.drops:
            factor = ops.where(update >= drop, factor / 10, factor)
        return factor


def _staircase(member: Member, rate: float) -> Any:
    """Keras asks for the rate of each batch, of which `accumulate` make an update."""
    batches = member.decay_examples * member.accumulate / member.batch_size
    return keras.optimizers.schedules.ExponentialDecay(rate, batches, member.decay, staircase=True)


def rate_of(member: Member, rate: float, length: Length | None) -> Any:
    """The learning rate of a member from an initial rate on; length: None for a second stage of training.

    A second stage has the staircase of the member, else a constant rate: epochs count the first stage.
    """
    by_epochs = member.schedule == "cosine" or bool(member.steps_down)
    if length is not None and (by_epochs or member.warm_up):
        return EpochSchedule(member, rate, length)
    return float(rate) if by_epochs else _staircase(member, rate)


def optimizer_of(member: Member, learning_rate: float, length: Length | None = None) -> ClippedAdam:
    """The optimiser of a member, with the given initial learning rate; length: see rate_of."""
    return ClippedAdam(
        rate_of(member, learning_rate, length),
        clip_norm=member.clip_norm,
        epsilon=1e-8,
        gradient_accumulation_steps=member.accumulate if member.accumulate > 1 else None,
    )


def loss_of(member: Member, dataset: Dataset) -> LabelLoss:
    """The label loss of a member on a data set."""
    return LabelLoss(member.loss_epsilon, dataset.single_label, member.label_smoothing)
