"""A teacher's soft labels, mixed into batches that were read with the records' labels."""

from collections.abc import Generator
from contextlib import closing
from functools import lru_cache

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.reading.soft_labels import GroupLabels, SoftLabels
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.stores.path import DataPath

SHARDS = 32  # whose soft labels are kept: two groups


def mixed_labels(batches: Generator[Batch], soft_labels: SoftLabels) -> Generator[Batch]:
    """Mix the soft labels into each batch in place, as a reader of the member's own would.

    `batches` is closed with this generator. Raises KitError for a video without soft labels: that reader
    skips it, which changes all later batches.
    """

    @lru_cache(SHARDS)
    def of(shard: DataPath) -> GroupLabels:
        return soft_labels.of([shard])

    with closing(batches):
        for batch in batches:
            for row, (video, shard) in enumerate(zip(batch.ids, batch.shards)):
                try:
                    of(shard).mix(0, video, batch.labels[row])
                except DataError as error:
                    raise KitError(
                        f"{shard}: {error}; train this member with a command of its own."
                    ) from None
            yield batch
