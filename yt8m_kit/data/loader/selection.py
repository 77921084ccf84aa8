"""Selected videos of shards in file order: all, the first ones, or those of given ids."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import NamedTuple

import numpy as np

from yt8m_kit.data.format.examples import Video, identify, sections
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.stores.path import DataPath

_MANY = 16  # shards from which a search for ids shows a bar


class Selection(NamedTuple):
    """Videos of shards. paths: the shards in order. limit: most videos, None for all.

    records: record numbers by shard, None for all; they were asked for by id, so that a bad one is an error.
    """

    paths: Sequence[DataPath]
    limit: int | None = None
    records: Mapping[DataPath, list[int]] | None = None


def select_ids(paths: Sequence[DataPath], id_keys: Sequence[str], ids: Sequence[str]) -> Selection:
    """Find the records of these ids, reading shards until all are found; the first of equal ids is taken.

    id_keys: context keys that may hold the id. Raises UsageError for an id that no record has.
    """
    missing, records, faults = set(ids), dict[DataPath, list[int]](), Faults()
    known = ""
    with progress.bar(len(paths), "search", " shards") if len(paths) > _MANY else nullcontext() as bar:
        for path in paths:
            for record, known in _ids(path, id_keys, faults):
                if known in missing:
                    missing.remove(known)
                    records.setdefault(path, []).append(record)
                if not missing:
                    return Selection(list(records), None, records)
            if bar:
                bar.update()
    unknown = next(each for each in ids if each in missing)
    example = f"; there is, e.g., {known!r}" if known else ""
    shards = progress.plural(len(paths), "shard")
    skipped = f"; {faults.summary()}" if faults else ""
    raise UsageError(f"no video {unknown!r} in {shards} of {paths[0].parent}{example}{skipped}.")


def _ids(path: DataPath, id_keys: Sequence[str], faults: Faults) -> Iterator[tuple[int, str]]:
    """Yield number and id of each record of a shard; records without a readable id are added to `faults`."""

    def decode(payload: np.ndarray) -> str:
        try:
            return identify(payload.data, sections(payload.data)[0], id_keys)
        except IndexError:  # a varint that runs over the end of the record
            raise DataError("the record ends within a field") from None

    buffer = RecordBuffer()
    with ShardGroup([path]) as group:
        for fault in group.faults:
            faults.add(fault)
        for record in range(len(group)):
            try:
                yield record, group.read(record, decode, buffer, check_crc=False)
            except RecordError as fault:
                faults.add(fault)


def read_selected(selection: Selection, dataset: Dataset, faults: Faults) -> Iterator[Video]:
    """Yield the selected videos in file order; their arrays are copies, features uint8 (n, width) each.

    Bad records are skipped and added to `faults`. Raises RecordError for a bad one that was asked for by id,
    DataError if a shard cannot be opened.
    """
    return islice(_videos(selection, dataset, faults), selection.limit)


def _videos(selection: Selection, dataset: Dataset, faults: Faults) -> Iterator[Video]:
    buffer = RecordBuffer()
    for path in selection.paths:
        with ShardGroup([path]) as group:
            for fault in group.faults:
                faults.add(fault)
            for record in selection.records[path] if selection.records else range(len(group)):
                try:
                    video = group.load(record, dataset, buffer, check_crc=True)
                except RecordError as fault:
                    if selection.records:
                        raise
                    faults.add(fault)
                    continue
                yield video._replace(features=[frames.copy() for frames in video.features])
