"""A teacher's probabilities as training targets: the top k of each video, one side file per shard.

A side file holds ids, class indices uint16 (N, k) and probabilities float16 (N, k): 4 bytes a label, about
0.4 GB per million videos at k = 100. Dense probabilities in a second copy of the records take 1.4 TB for the
whole train split (first place). Probabilities outside the top k count as zero.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.errors import DataError, KitError
from yt8m_kit.output.arrays import read_arrays
from yt8m_kit.output.digest import digest
from yt8m_kit.output.files import replacing
from yt8m_kit.stores.path import DataPath

BYTES = 4  # of a label: class index and probability


def side_file(folder: Path, shard: DataPath) -> Path:
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


def write_index(path: Path, folder: Path, shards: Sequence[DataPath], top: int) -> None:
    """Write the index of a folder of soft labels: k, and the digest of each shard's side file."""
    digests = {shard.name: digest(side_file(folder, shard)) for shard in shards}
    path.write_text(json.dumps({"top": top, "shards": digests}, indent=1) + "\n", encoding="utf-8")


def read_digests(index: Path) -> dict[str, str]:
    """The digests of the side files by name of shard; KitError for an index that is none."""
    try:
        digests: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["shards"]
        return dict(digests.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KitError(f"cannot read the index of soft labels {index}: {error}. Write them again.") from None


class ShardLabels:
    """The soft labels of one shard. known: the digest of its side file, None if that is not to be compared.

    Raises KitError where the file is missing or damaged.
    """

    def __init__(self, path: Path, known: str | None = None):
        advice = "Write them again."
        if known is not None and path.exists() and digest(path) != known:
            raise KitError(f"{path} is damaged: its SHA-256 is not the one it was written with. {advice}")
        kept = dict(read_arrays(path, advice))
        try:
            self._rows = {str(video): row for row, video in enumerate(kept["ids"])}
            self._labels, self._probabilities = kept["labels"], kept["probabilities"].astype(np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise KitError(f"{path} is damaged: {error!r}. {advice}") from None

    def mix(self, labels_C: NDArray[np.float32], video: str, weight: float) -> None:
        """Labels <- (1 - weight) * labels + weight * teacher, in place. DataError for an unknown video."""
        row = self._rows.get(video)
        if row is None:
            raise DataError(f"the teacher has no soft labels for video {video!r}")
        labels_C *= 1 - weight
        labels_C[self._labels[row]] += weight * self._probabilities[row]


class SoftLabels(NamedTuple):
    """Folder of a teacher's soft labels and their weight in the target (lambda of first place, 0.5).

    digests: of the side files by name of shard, None if they are not to be compared.
    """

    folder: Path
    weight: float
    digests: Mapping[str, str] | None = None

    def of(self, paths: Sequence[DataPath]) -> "GroupLabels":
        """Read the soft labels of a group of shards."""
        known = [None if self.digests is None else self.digests.get(path.name, "") for path in paths]
        return GroupLabels(
            [ShardLabels(side_file(self.folder, path), each) for path, each in zip(paths, known)], self.weight
        )


class GroupLabels(NamedTuple):
    """The soft labels of a group of shards, in its order, and their weight in the target."""

    shards: Sequence[ShardLabels]
    weight: float

    def mix(self, shard: int, video: str, labels_C: NDArray[np.float32]) -> None:
        """Mix the teacher's labels of a video of the shard-th shard into its labels, see ShardLabels.mix."""
        self.shards[shard].mix(labels_C, video, self.weight)
