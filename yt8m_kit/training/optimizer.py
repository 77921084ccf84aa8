"""Adam as in the winning solutions: staircase decay by examples, gradients clipped per variable."""

import math
from collections.abc import Callable
from typing import Any

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


def optimizer_of(member: Member, learning_rate: float) -> ClippedAdam:
    """The optimiser of a member, with the given initial learning rate."""
    rate = keras.optimizers.schedules.ExponentialDecay(
        learning_rate, member.decay_examples / member.batch_size, member.decay, staircase=True
    )
    return ClippedAdam(
        rate,
        clip_norm=member.clip_norm,
        epsilon=1e-8,
        gradient_accumulation_steps=member.accumulate if member.accumulate > 1 else None,
    )


def loss_of(member: Member, dataset: Dataset) -> LabelLoss:
    """The label loss of a member on a data set."""
    return LabelLoss(member.loss_epsilon, dataset.single_label, member.label_smoothing)
