"""The training step over a mesh: each device computes its rows of the global batch.

The step is that of one device, compiled for divided rows: means, BatchNorm statistics and random draws are
those of the global batch, and gradients are summed over the devices.
"""

# N devices

from collections import deque
from collections.abc import Sequence
from typing import Any

import jax
import keras
from jax import numpy as jnp

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.layers.losses import LabelLoss
from yt8m_kit.training.distributed.mesh import BatchMesh, first
from yt8m_kit.training.distributed.workers import Workers
from yt8m_kit.training.input_pipeline import IN_FLIGHT
from yt8m_kit.training.optimizer import ClippedAdam
from yt8m_kit.training.steps import Stepper, in_order, jax_groups, jax_update


def compiled_update(
    model: keras.Model, optimizer: ClippedAdam, label_loss: LabelLoss, mesh: BatchMesh
) -> Any:
    """The compiled step, by jax.jit: state, notes int32 (N, 4), batch -> loss, state, notes of all."""
    update = jax_update(model, optimizer, label_loss)

    def step(state: Any, notes: Any, *arrays: Any) -> Any:
        loss, state = update(state, *arrays)
        return loss, state, _shared(notes)

    return jax.jit(step, donate_argnums=0, out_shardings=mesh.replicated)


def _shared(notes_N4: Any) -> Any:
    """Bring all rows to every device by a sum, in which each row has one term other than zero."""
    own = jnp.eye(len(notes_N4), dtype=notes_N4.dtype)
    return jnp.sum(own[:, :, None] * notes_N4[:, None, :], axis=0)


def sharded_step(
    model: keras.Model, optimizer: ClippedAdam, label_loss: LabelLoss, workers: Workers
) -> Stepper:
    """A JAX step over the workers' mesh. It takes this process' part of a batch: one Batch per device.

    A stop that a worker asks for is agreed on when its step is over, the same number of steps later in all.
    """
    mesh = workers.mesh
    compiled = compiled_update(model, optimizer, label_loss, mesh)
    groups = jax_groups(model, optimizer)
    state = [[mesh.replicate(variable.value) for variable in group] for group in groups]
    in_flight: deque[Any] = deque()

    def step(parts: Sequence[Batch]) -> Any:
        nonlocal state
        told = mesh.divide(workers.notes(part.position for part in parts))
        arrays = [mesh.divide([part[i] for part in parts]) for i in range(3)]
        loss, state, notes = compiled(state, told, *arrays)
        workers.keep(notes)
        in_flight.append(notes)
        if len(in_flight) > IN_FLIGHT:
            workers.hear(in_flight.popleft())
        return loss

    def sync() -> None:
        for group, values in zip(groups, state):
            for variable, value in zip(group, values):
                variable.assign(jnp.array(first(value)))

    return Stepper(step, sync, lambda: [first(value) for value in in_order(model, groups, state)])
