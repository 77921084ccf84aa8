"""Toys of all families on two devices: one process with two virtual ones, or one process of two.

    python -m tests.support.sharded_families train [ROW ...]    digest of the weights after three steps
    python -m tests.support.sharded_families compile [ROW ...]  collectives in the compiled step

Prints a line of JSON for each: name, value. KERAS_BACKEND must be jax; the three variables
of a process choose between the two.
"""

import hashlib
import json
import re
import sys

import jax
import keras
import numpy as np

from tests.support import families
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.layers.losses import LabelLoss
from yt8m_kit.training.distributed.launch import launch
from yt8m_kit.training.distributed.mesh import BatchMesh
from yt8m_kit.training.distributed.step import compiled_update, sharded_step
from yt8m_kit.training.distributed.workers import Workers, joined
from yt8m_kit.training.optimizer import ClippedAdam
from yt8m_kit.training.steps import jax_groups

STEPS, DEVICES = 3, 2
COLLECTIVES = r"(all-gather|all-to-all|collective-permute|reduce-scatter|all-reduce)(?:-start)?\("


def built(row: str) -> tuple[keras.Model, ClippedAdam]:
    """A toy with its optimizer."""
    keras.utils.set_random_seed(0)
    model = families.build(row)
    optimizer = ClippedAdam(1e-3, clip_norm=1.0)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def trained(name: str, workers: Workers) -> str:
    """The digest of a toy's weights, statistics and seeds."""
    stepper = sharded_step(*built(name), LabelLoss(1e-5), workers)
    inputs, labels = families.videos()
    size = len(labels) // DEVICES
    for step in range(STEPS):
        rows = [slice(k * size, (k + 1) * size) for k, _ in workers.shares]
        parts = [
            Batch(inputs["frames"][row], inputs["num_frames"][row], labels[row], [], Position(0, 0, step))
            for row in rows
        ]
        stepper.step(parts)
    return hashlib.sha256(b"".join(np.asarray(value).tobytes() for value in stepper.values())).hexdigest()


def compiled(row: str, mesh: BatchMesh) -> list[str]:
    """The collectives of a toy's compiled step, in the order of the module."""
    model, optimizer = built(row)
    step = compiled_update(model, optimizer, LabelLoss(1e-5), mesh)
    state = [
        [jax.ShapeDtypeStruct(v.shape, v.value.dtype, sharding=mesh.replicated) for v in group]
        for group in jax_groups(model, optimizer)
    ]
    inputs, labels = families.videos()
    rows = [np.zeros((DEVICES, 4), np.int32), inputs["frames"], inputs["num_frames"], labels]
    arrays = [jax.ShapeDtypeStruct(each.shape, each.dtype, sharding=mesh.divided) for each in rows]
    return re.findall(COLLECTIVES, step.lower(state, *arrays).compile().as_text())


def main(what: str, *rows: str) -> None:
    """Print a line for each row."""
    with joined(DEVICES, launch()) as workers:
        for row in rows or families.ROWS:
            value = trained(row, workers) if what == "train" else compiled(row, workers.mesh)
            print(json.dumps([row, value]), flush=True)
        workers.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
