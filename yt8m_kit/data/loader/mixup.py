"""Mixup: pairs of videos of a batch, blended frame by frame, and their labels with them.

Source: Zhang et al., "mixup: Beyond empirical risk minimization" (2018). The first place of 2018 saw no gain
at five million videos; on few thousand it holds overfitting off (docs/training.md).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.batches import Batch

STEPS = 256  # shares are multiples of 1 / 256, so that bytes are blended in integers


def mixed(batches: Iterator[Batch], alpha: float, seed: int) -> Iterator[Batch]:
    """The batches, blended in place: video i with the i-th from the end, by shares from Beta(alpha, alpha).

    Each video keeps the larger share, at least half, and takes the rest from its partner; both get as many
    frames as the longer one has, the shorter one's repeated in turn. Where either has no frames, both stay as
    they are. The shares depend on the seed and the batch's position alone: a resumed run meets the same ones.
    """
    for batch in batches:
        shares = np.random.default_rng((seed, *batch.position)).beta(alpha, alpha, len(batch.ids))
        kept = np.rint(np.maximum(shares, 1 - shares) * STEPS).astype(np.uint16)
        for first in range(len(batch.ids) // 2):
            _blend(batch, first, len(batch.ids) - 1 - first, kept)
        yield batch


def _blend(batch: Batch, first: int, second: int, kept: NDArray[np.uint16]) -> None:
    """Make each of two videos its own share and the rest of the other's, in place."""
    pair = [first, second]
    if not batch.num_frames[pair].all():
        return
    length = int(batch.num_frames[pair].max())
    frames = [_stretched(batch.frames[video, : batch.num_frames[video]], length) for video in pair]
    labels = batch.labels[pair]
    for video, own, other in ((first, 0, 1), (second, 1, 0)):
        share = kept[video]
        # Half a step is added, so that the division rounds to the nearest byte.
        blended = frames[own] * share + frames[other] * (STEPS - share) + STEPS // 2
        batch.frames[video, :length] = blended // STEPS
        batch.labels[video] = (labels[own] * share + labels[other] * (STEPS - share)) / STEPS
    batch.num_frames[pair] = length


def _stretched(frames_ND: NDArray[np.uint8], length: int) -> NDArray[np.uint16]:
    """So many frames, the given ones repeated in turn; uint16 to be summed in."""
    return frames_ND[np.arange(length) % len(frames_ND)].astype(np.uint16)
