"""A teacher's probabilities as training targets: the top k of each video, one side file per shard.

A side file holds ids, class indices uint16 (N, k) and probabilities float16 (N, k): 4 bytes a label, about
0.4 GB per million videos at k = 100. Dense probabilities in a second copy of the records take 1.4 TB for the
whole train split (first place). Probabilities outside the top k count as zero.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.errors import DataError, KitError
from yt8m_kit.output.files import replacing

SETTINGS = "manifest.json"  # k and the shards; written last, so its presence says that all labels are there


def side_file(folder: Path, shard: Path) -> Path:
    """Path of the soft labels of a shard."""
    return folder / f"{shard.stem}.npz"


def write(
    path: Path, ids: list[str], labels_Nk: NDArray[np.integer], probabilities_Nk: NDArray[np.floating]
) -> None:
    """Write a side file atomically."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            ids=np.array(ids),
            labels=labels_Nk.astype(np.uint16),
            probabilities=probabilities_Nk.astype(np.float16),
        )


class ShardLabels:
    """The soft labels of one shard. Raises KitError where the file is missing or damaged."""

    def __init__(self, path: Path):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                self._rows = {str(video): row for row, video in enumerate(kept["ids"])}
                self._labels, self._probabilities = kept["labels"], kept["probabilities"].astype(np.float32)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise KitError(f"cannot read the soft labels {path}: {error}. Write them again.") from error

    def mix(self, labels_C: NDArray[np.float32], video: str, weight: float) -> None:
        """Labels <- (1 - weight) * labels + weight * teacher, in place. DataError for an unknown video."""
        row = self._rows.get(video)
        if row is None:
            raise DataError(f"the teacher has no soft labels for video {video!r}")
        labels_C *= 1 - weight
        labels_C[self._labels[row]] += weight * self._probabilities[row]


class SoftLabels(NamedTuple):
    """Folder of a teacher's soft labels and their weight in the target (lambda of first place, 0.5)."""

    folder: Path
    weight: float

    def of(self, paths: Sequence[Path]) -> "GroupLabels":
        """Read the soft labels of a group of shards."""
        return GroupLabels([ShardLabels(side_file(self.folder, path)) for path in paths], self.weight)


class GroupLabels(NamedTuple):
    """The soft labels of a group of shards, in its order, and their weight in the target."""

    shards: Sequence[ShardLabels]
    weight: float

    def mix(self, shard: int, video: str, labels_C: NDArray[np.float32]) -> None:
        """Mix the teacher's labels of a video of the shard-th shard into its labels, see ShardLabels.mix."""
        self.shards[shard].mix(labels_C, video, self.weight)
