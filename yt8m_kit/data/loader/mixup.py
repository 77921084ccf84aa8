"""Mixup: convex combinations of pairs of videos of a batch, frame by frame, and of their labels.

Source: Zhang et al., "mixup: Beyond empirical risk minimization" (2018), section 2. The first place of 2018
saw no gain at five million videos; with a few thousand it reduces overfitting (docs/training.md).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.batches import Batch

STEPS = 256  # weights are multiples of 1 / 256, so that bytes are mixed in integer arithmetic


def mixup(
    batches: Iterator[Batch], alpha: float, seed: int, share: tuple[int, int] = (0, 1)
) -> Iterator[Batch]:
    """Mix each batch in place: video i with the i-th from the end, with weights from Beta(alpha, alpha).

    A video keeps the larger weight, at least 1/2, and its partner gets the rest. Both get the length of the
    longer one; the frames of the shorter one are repeated cyclically. Pairs with an empty video are left
    unchanged. Weights depend only on the seed and the batch's position, so a resumed run draws the same ones.
    share: (k, n), the batches are the k-th of n parts, which draw different weights.
    """
    own = share if share[1] > 1 else ()
    for batch in batches:
        weights = np.random.default_rng((seed, *batch.position, *own)).beta(alpha, alpha, len(batch.ids))
        kept = np.rint(np.maximum(weights, 1 - weights) * STEPS).astype(np.uint16)
        for first in range(len(batch.ids) // 2):
            _mix(batch, first, len(batch.ids) - 1 - first, kept)
        yield batch


def _mix(batch: Batch, first: int, second: int, kept: NDArray[np.uint16]) -> None:
    """Mix two videos with each other in place, frames and labels. kept: uint16 (B,), weights times STEPS."""
    pair = [first, second]
    if not batch.num_frames[pair].all():
        return
    length = int(batch.num_frames[pair].max())
    frames = [_repeated(batch.frames[video, : batch.num_frames[video]], length) for video in pair]
    labels = batch.labels[pair]
    for video, own, other in ((first, 0, 1), (second, 1, 0)):
        weight = kept[video]
        # STEPS // 2 is added so that the division rounds to nearest.
        mixed = frames[own] * weight + frames[other] * (STEPS - weight) + STEPS // 2
        batch.frames[video, :length] = mixed // STEPS
        batch.labels[video] = (labels[own] * weight + labels[other] * (STEPS - weight)) / STEPS
    batch.num_frames[pair] = length


def _repeated(frames_ND: NDArray[np.uint8], length: int) -> NDArray[np.uint16]:
    """Repeat the N frames cyclically up to `length`; uint16, wide enough for the weighted sum."""
    return frames_ND[np.arange(length) % len(frames_ND)].astype(np.uint16)
