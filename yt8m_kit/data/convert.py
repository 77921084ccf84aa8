"""Records of own videos, whoever wrote them, as shards like YouTube-8M's."""

import dataclasses
import itertools
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from yt8m_kit.data.format import tfrecord, vocabulary
from yt8m_kit.data.format.examples import Video, parse, sequence_example
from yt8m_kit.data.format.label_file import LabelFile
from yt8m_kit.data.format.tfrecord import RecordError
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.files import replacing, replacing_folder

_SINGLE = ".pb"  # a file of one SequenceExample, as MediaPipe writes them


def convert(
    source: Path,
    out: Path,
    dataset: Dataset,
    *,
    split: str = "train",
    labels: Path | None = None,
    names: Path | None = None,
    videos: int = 1000,
    strict: bool = False,
) -> Path:
    """Writes what is in `source` as OUT/SPLIT/SPLIT0000.tfrecord and so on; returns that folder.

    source: a folder, looked through to its depths, or a file: TFRecords (.tfrecord) or single records (.pb),
    with byte or float frames. labels: a CSV, see LabelFile, in place of the records' own. names: a
    vocabulary, see vocabulary.parse, kept as OUT/vocabulary.csv. videos: of a shard.
    A video is called by its id, of a path the last part, without what would break a CSV. What cannot be used
    is left out and named on stderr; strict: is an error. A folder that is there is left alone.
    Raises UsageError if there is nothing to read, DataError if nothing is good, for labels that make no sense
    and, if strict, for whatever is bad.
    """
    paths = _sources(source)
    known = vocabulary.read(names) if names else {}
    if known and max(known) >= dataset.classes:
        raise DataError(f"{names}: it has class {max(known)}; {dataset.name} has {dataset.classes} classes.")
    table = LabelFile(labels, known, dataset.classes) if labels else None
    folder = out / split
    if folder.exists():
        progress.say(f"{folder} is there; delete it to convert anew.")
        return folder
    faults = Faults()
    with replacing_folder(folder) as temporary:
        count = _write(_records(paths, dataset, table, faults, strict), temporary, split, videos)
        if not count:
            raise DataError(f"no usable record in {source}: {faults.summary()}")
    if names:
        with replacing(out / vocabulary.FILE) as copy:
            shutil.copyfile(names, copy)
    if faults:
        progress.say(faults.summary())
    if table and table.unused():
        unused = table.unused()
        progress.say(
            f"{progress.plural(len(unused), 'line')} of {labels} without a video, e.g. {unused[0]!r}"
        )
    progress.say(f"{progress.plural(count, 'video')} converted")
    return folder


def _sources(source: Path) -> list[Path]:
    suffixes = (".tfrecord", _SINGLE)
    inside = source.rglob("*") if source.is_dir() else [source]
    paths = sorted(path for path in inside if path.suffix in suffixes and path.is_file())
    if not paths:
        raise UsageError(f"{source} holds no records: looked for {' and '.join('*' + s for s in suffixes)}.")
    return paths


def _write(records: Iterator[bytes], folder: Path, split: str, videos: int) -> int:
    """Shards of so many records; the number of records."""
    count = 0
    for record in records:  # begins a shard
        with tfrecord.writing(folder / f"{split}{count // videos:04d}.tfrecord") as write:
            for each in itertools.chain([record], itertools.islice(records, videos - 1)):
                write(each)
                count += 1
    return count


def _records(
    paths: Sequence[Path], dataset: Dataset, table: LabelFile | None, faults: Faults, strict: bool
) -> Iterator[bytes]:
    """Each good video as a record; what is bad is noted."""
    seen: set[str] = set()
    if table:  # whatever labels the records have, those of the table take their place
        dataset = dataclasses.replace(dataset, classes=1 << 63)
    with progress.bar(len(paths), "convert", " files") as bar:
        for path in paths:
            for number, found in _videos(path, dataset):
                try:
                    yield _record(found, dataset, table, seen)
                except DataError as error:
                    fault = error if isinstance(error, RecordError) else RecordError(path, number, str(error))
                    if strict:
                        raise fault from None
                    faults.add(fault)
            bar.update()


def _record(found: Video | RecordError, dataset: Dataset, table: LabelFile | None, seen: set[str]) -> bytes:
    """A video as it is to be stored. Raises DataError for one that cannot be."""
    if isinstance(found, RecordError):
        raise found
    last = found.id.rpartition("/")[2]
    identity = re.sub(r"[\s,]+", "_", last.strip())
    if identity in seen or not identity:
        raise DataError(f"id {identity!r} (of {found.id!r}) is taken or empty")
    labels = table.of(found.id, last, Path(last).stem) if table else found.labels
    seen.add(identity)
    features = {name: frames for (name, _), frames in zip(dataset.features, found.features)}
    return sequence_example(identity, labels or None, features)


def _videos(path: Path, dataset: Dataset) -> Iterator[tuple[int | None, Video | RecordError]]:
    """The number of each record of a file, and the video it is or what is wrong with it."""
    if path.suffix == _SINGLE:
        try:
            yield None, parse(np.frombuffer(path.read_bytes(), np.uint8), dataset)
        except DataError as error:
            yield None, RecordError(path, None, str(error))
        return
    buffer = RecordBuffer()
    with ShardGroup([path]) as group:
        yield from ((fault.record, fault) for fault in group.faults)
        for record in range(len(group)):
            try:
                yield record, group.load(record, dataset, buffer, check_crc=True)
            except RecordError as fault:
                yield record, fault
