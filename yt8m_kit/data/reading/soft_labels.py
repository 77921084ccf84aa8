"""A teacher's probabilities beside the records: the top k of each video, one side file a shard.

A side file holds ids, class indices uint16 (N, k) and probabilities float16 (N, k): 4 bytes a label, some
0.4 GB per million videos at k = 100, where dense probabilities in a second copy of the records take 1.4 TB
for the whole train split (first place). What is not among the top k counts as zero.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.errors import DataError, KitError
from yt8m_kit.output.digest import digest
from yt8m_kit.output.files import replacing

MANIFEST = "manifest.json"  # written last: the labels of all shards are there


def side_file(folder: Path, shard: Path) -> Path:
    """Where the soft labels of a shard lie."""
    return folder / f"{shard.stem}.npz"


def write(
    path: Path, ids: list[str], labels_Nk: NDArray[np.integer], probabilities_Nk: NDArray[np.floating]
) -> None:
    """Write a side file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            ids=np.array(ids),
            labels=labels_Nk.astype(np.uint16),
            probabilities=probabilities_Nk.astype(np.float16),
        )


def write_manifest(path: Path, folder: Path, shards: Sequence[Path], top: int) -> None:
    """Write the manifest of a folder of soft labels: labels a video, and the digest of each side file."""
    digests = {shard.name: digest(side_file(folder, shard)) for shard in shards}
    path.write_text(json.dumps({"top": top, "shards": digests}, indent=1) + "\n", encoding="utf-8")


class ShardLabels:
    """The soft labels of one shard; KitError where the file is missing or damaged."""

    def __init__(self, path: Path):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                self._rows = {str(video): row for row, video in enumerate(kept["ids"])}
                self._labels, self._probabilities = kept["labels"], kept["probabilities"].astype(np.float32)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise KitError(f"cannot read the soft labels {path}: {error}. Write them again.") from error

    def mix(self, labels_C: NDArray[np.float32], video: str, weight: float) -> None:
        """Make labels (1 - weight) * labels + weight * teacher, in place; DataError for an unknown video."""
        row = self._rows.get(video)
        if row is None:
            raise DataError(f"the teacher has no soft labels for video {video!r}")
        labels_C *= 1 - weight
        labels_C[self._labels[row]] += weight * self._probabilities[row]


class SoftLabels(NamedTuple):
    """Where a teacher's labels lie, and their share of the target (lambda of first place, 0.5)."""

    folder: Path
    weight: float

    def of(self, shard: Path) -> ShardLabels:
        """The labels of a shard, read from its side file."""
        return ShardLabels(side_file(self.folder, shard))
