"""Convert records of your own videos to shards in the format of YouTube-8M."""

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from yt8m_kit.data.format import vocabulary
from yt8m_kit.data.format.examples import Video, parse, sequence_example
from yt8m_kit.data.format.label_file import LabelFile
from yt8m_kit.data.format.tfrecord import RecordError, write_shards
from yt8m_kit.data.format.video_id import cleaned
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer
from yt8m_kit.data.validation.anomalies import Use
from yt8m_kit.data.validation.check import report
from yt8m_kit.data.validation.statistics import SplitStatistics
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.checksums import write_with_checksum
from yt8m_kit.output.digest import digest
from yt8m_kit.output.files import replacing_folder
from yt8m_kit.output.provenance import Record, Sources, changes, now, read_record, write_record

RECORD = "converted.json"  # in the folder of the shards: what they were made from
_SINGLE = ".pb"  # a file with one SequenceExample, as MediaPipe writes it


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
    """Write the records in `source` as OUT/SPLIT/SPLIT0000.tfrecord and so on; returns OUT/SPLIT.

    source: a file or a folder, searched recursively: TFRecords (.tfrecord) or single records (.pb), with byte
    or float frames. labels: a CSV, see LabelFile, that replaces the records' labels. names: a vocabulary, see
    vocabulary.parse, copied to OUT/vocabulary.csv. videos: per shard.
    A video's new id is the last path component of its id, with blanks and commas, which would break a CSV,
    replaced by `_`. Bad records are skipped and named on stderr; strict: they are errors. Shards of the same
    sources are left alone.
    Raises UsageError if there is nothing to read, or if shards of other sources are there, DataError if no
    record is good, for invalid labels and, if strict, for any bad record.
    """
    paths = _sources(source)
    known = vocabulary.read(names, dataset.classes) if names else {}
    if known and max(known) >= dataset.classes:
        heading = f" Delete line 1 if {known[0]!r} is a heading." if len(known) == dataset.classes + 1 else ""
        raise DataError(
            f"{names}: class {max(known)} is out of range; {dataset.name} has {dataset.classes} "
            f"classes.{heading}"
        )
    single_label = dataset.single_label
    table = LabelFile(labels, known, dataset.classes, single_label=single_label) if labels else None
    folder = out / split
    sources = _sources_of(paths, dataset, labels, names, videos)
    if names and (not folder.exists() or _is_of(folder, sources)):
        write_with_checksum(out / vocabulary.FILE, names.read_bytes())
    if folder.exists() and _is_of(folder, sources):
        progress.say(f"up to date: {folder}")
        return folder
    faults, statistics = Faults(), SplitStatistics(dataset)
    records = _records(paths, dataset, table, faults, strict, statistics)
    with progress.work(f"convert {source}", _extent(paths)) as finish:
        with closing(records), replacing_folder(folder) as temporary:
            count = write_shards(records, temporary, split, videos)
            if not count:
                raise DataError(f"no usable record in {source}: {faults.summary()}")
            write_record(temporary / RECORD, Record(sources, figures={"videos": count}, made=now()))
        finish(f"{progress.plural(count, 'video')} converted to {folder}")
    if faults:
        progress.say(faults.summary())
    if table and table.unused():
        unused = table.unused()
        progress.say(
            f"{progress.plural(len(unused), 'line')} of {labels} without a video, e.g. {unused[0]!r}"
        )
    for error in report(statistics, dataset, split, Use(labels=split != "test", unique=False)):
        progress.say(f"warning: {error}; these records cannot be used as they are")
    return folder


def _extent(paths: Sequence[Path]) -> str:
    size = progress.amount(sum(path.stat().st_size for path in paths))
    return f"{progress.plural(len(paths), 'file')}, {size}"


def _sources_of(
    paths: Sequence[Path], dataset: Dataset, labels: Path | None, names: Path | None, videos: int
) -> Sources:
    """What shards are made from: files by name and bytes, labels, vocabulary, and how they are written."""
    settings = {"features": [list(feature) for feature in dataset.features], "classes": dataset.classes}
    settings |= dataset.about_labels
    tables = {"labels": labels, "vocabulary": names}
    return {
        "settings": settings | {"id_keys": list(dataset.id_keys), "videos": videos},
        "files": {str(path): path.stat().st_size for path in paths},
        **{name: digest(path) if path else "none" for name, path in tables.items()},
    }


def _is_of(folder: Path, sources: Sources) -> bool:
    """True for shards that were converted from these sources; UsageError for those of others."""
    record = read_record(folder / RECORD)
    reasons = changes(record.sources, sources) if record else ["there is no record of its sources"]
    if record and not reasons:
        expected = -(-record.figures["videos"] // sources["settings"]["videos"])
        if (found := len([*folder.glob("*.tfrecord")])) != expected:
            reasons = [f"it has {found} shards, not the {expected} that were written"]
    if reasons:
        raise UsageError(f"{folder} is stale: {reasons[0]}. Delete it, or convert to another folder.")
    return True


def _sources(source: Path) -> list[Path]:
    suffixes = (".tfrecord", _SINGLE)
    inside = source.rglob("*") if source.is_dir() else [source]
    paths = sorted(path for path in inside if path.suffix in suffixes and path.is_file())
    if not paths:
        raise UsageError(f"{source} holds no records: looked for {' and '.join('*' + s for s in suffixes)}.")
    return paths


def _records(
    paths: Sequence[Path],
    dataset: Dataset,
    table: LabelFile | None,
    faults: Faults,
    strict: bool,
    statistics: SplitStatistics,
) -> Generator[bytes]:
    """Yield the record of each good video, added to `statistics`; collect the faults of the others."""
    seen: set[str] = set()
    if table:  # any label of a record is valid, because the table replaces it
        dataset = dataclasses.replace(dataset, classes=1 << 63)
    with progress.bar(len(paths), "convert", " files") as bar:
        for path in paths:
            for number, found in _videos(path, dataset):
                try:
                    video = _converted(found, table, seen)
                    statistics.add(video)
                    yield _record(video, dataset)
                except DataError as error:
                    fault = error if isinstance(error, RecordError) else RecordError(path, number, str(error))
                    if strict:
                        raise fault from None
                    faults.add(fault)
            bar.update()


def _converted(found: Video | RecordError, table: LabelFile | None, seen: set[str]) -> Video:
    """A video with its new id and labels. Raises DataError if it cannot be used."""
    if isinstance(found, RecordError):
        raise found
    last = found.id.rpartition("/")[2]
    identity = cleaned(last)
    if identity in seen or not identity:
        raise DataError(f"id {identity!r} (of {found.id!r}) is a duplicate or empty")
    labels = table.of(found.id, last, Path(last).stem) if table else found.labels
    seen.add(identity)
    return found._replace(id=identity, labels=labels)


def _record(video: Video, dataset: Dataset) -> bytes:
    features = {name: frames for (name, _), frames in zip(dataset.features, video.features)}
    return sequence_example(video.id, video.labels or None, features)


def _videos(path: Path, dataset: Dataset) -> Iterator[tuple[int | None, Video | RecordError]]:
    """Yield the number of each record of a file with its video or its fault."""
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
