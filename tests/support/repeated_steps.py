"""Digests of the weights of families at their published sizes after ten steps on random videos.

    python -m tests.support.repeated_steps [ROW ...]

Prints name and digest of each, as JSON. With the backend of KERAS_BACKEND, on the device that it finds.
"""

import hashlib
import json
import sys

import numpy as np

from yt8m_kit import backend
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.dataset import YOUTUBE8M_2018 as DATASET

STEPS, BATCH = 10, 32
ROWS = {
    "netvlad": {"clusters": 64, "hidden": 1024},
    "nextvlad": {},
    "gru": {"units": 1024},
    "lstm": {"units": 1024},
    "dbof": {"clusters": 4096, "draws": 30},
    "soft_bof": {"clusters": 4000},
    "hg_nl": {},
}


def batch(step):
    rng = np.random.default_rng(step)
    frames = rng.integers(0, 256, (BATCH, DATASET.max_frames, DATASET.width), np.uint8)
    counts = rng.integers(120, DATASET.max_frames + 1, BATCH).astype(np.int32)
    labels = np.zeros((BATCH, DATASET.classes), np.float32)
    np.put_along_axis(labels, rng.integers(0, DATASET.classes, (BATCH, 3)), 1, axis=1)
    return Batch(frames, counts, labels, [""] * BATCH, Position(0, 0, step))


def digest(row):
    import keras

    from yt8m_kit import models
    from yt8m_kit.layers.losses import LabelLoss
    from yt8m_kit.training.optimizer import ClippedAdam
    from yt8m_kit.training.steps import make_step

    keras.utils.set_random_seed(0)
    model = models.build(row, DATASET, **ROWS[row])
    optimizer = ClippedAdam(1e-3, clip_norm=1.0)
    optimizer.build(model.trainable_variables)
    stepper = make_step(model, optimizer, LabelLoss(1e-5))
    for step in range(STEPS):
        stepper.step(batch(step))
    stepper.sync()
    return hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in model.get_weights())).hexdigest()


if __name__ == "__main__":
    backend.start()
    print(json.dumps({row: digest(row) for row in sys.argv[1:] or ROWS}))
