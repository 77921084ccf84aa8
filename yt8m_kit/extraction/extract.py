"""Extract the features of a folder of videos as shards in the format of YouTube-8M."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yt8m_kit.data.format import tfrecord, vocabulary
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.validation.anomalies import Use
from yt8m_kit.data.validation.check import SAMPLED, report
from yt8m_kit.data.validation.sampling import sample
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.extraction import scale
from yt8m_kit.extraction.labels import Labelled
from yt8m_kit.extraction.networks.choice import Choice
from yt8m_kit.extraction.scale import Scale
from yt8m_kit.extraction.sources import Source
from yt8m_kit.extraction.unfinished import Unfinished
from yt8m_kit.extraction.workers import Found, Workers
from yt8m_kit.output import progress
from yt8m_kit.output.checksums import write_with_checksum
from yt8m_kit.output.digest import digest, stamp
from yt8m_kit.output.files import replacing_folder
from yt8m_kit.output.provenance import Record, changes, now, read_record, write_record

RECORD = "extracted.json"  # in the folder of the shards: what they were made from
_NAMED = 10  # files that are listed in full


def extract(
    given: Labelled,
    out: Path,
    dataset: Dataset,
    choice: Choice,
    *,
    split: str = "train",
    videos: int = 50,
    jobs: int = 1,
) -> Path:
    """Write the features of videos as OUT/SPLIT/SPLIT0000.tfrecord and so on; returns OUT/SPLIT.

    videos: per shard. jobs: processes that decode and run the networks. Files that cannot be used are skipped
    and named. Shards of an interrupted call are kept, those of the same sources are left alone.
    OUT/scale.json is fitted to the train split.
    Raises UsageError if another process extracts this split, if OUT holds an extraction with other settings
    or of other videos, or no train split for another one's scale, DataError if no video can be used, KitError
    if a file cannot be written.
    """
    folder, settings = out / split, choice.settings(dataset) | {"vocabulary": given.vocabulary_digest}
    scales = scale.read(out, settings)
    made_from = {
        "settings": settings | {"videos": videos},
        "files": {each.name: each.made_from[1:] for each in given.sources},
        "skipped": given.skipped,
    }
    if folder.exists():
        _check_is_of(folder, made_from, out)
        progress.say(f"up to date: {folder}")
        return folder
    if split == "train":
        scale.check_videos(out, {each.name: each.stamp for each in given.sources})
    if scales is None and split != "train":
        raise UsageError(f"{out} has no {scale.FILE}: extract the train split first, which it is fitted to.")
    unfinished = Unfinished(out, split)
    with (
        unfinished.alone(),
        progress.work(f"extract {split}", progress.plural(len(given.sources), "video")) as finish,
        Workers(choice, dataset, jobs) as workers,
    ):
        if given.vocabulary:
            write_with_checksum(out / vocabulary.FILE, given.vocabulary)
        on_scale = choice.published(dataset)
        work = _Split(given.sources, out, dataset, workers, settings, unfinished, videos, on_scale)
        faults = given.skipped | work.write_shards(scales)
        count = len(given.sources) + len(given.skipped) - len(faults)
        _say_faults(faults)
        if not count:
            raise DataError(f"no usable video among {progress.plural(len(faults), 'file')}, named above.")
        with replacing_folder(folder) as temporary:
            unfinished.copy_to(temporary, work.shards)
            files = {
                each.name: (digest(each), stamp(each)) for each in (out / scale.FILE, *_shards(temporary))
            }
            figures = {"videos": count, "skipped": faults}
            write_record(temporary / RECORD, Record(made_from, files=files, figures=figures, made=now()))
        unfinished.remove()
        finish(f"{progress.plural(count, 'video')} in {folder}")
    _report(folder, dataset, split)
    return folder


def _check_is_of(folder: Path, made_from: dict[str, Any], out: Path) -> None:
    """Raise UsageError unless a finished split was extracted from the same with the same scale."""
    record = read_record(folder / RECORD)
    reasons = changes(record.sources, made_from) if record else ["there is no record of its sources"]
    path = out / scale.FILE
    if record and not reasons and (not path.exists() or digest(path) != record.files[scale.FILE][0]):
        reasons = [f"{path} is not the one it was written with"]
    if record and not reasons:
        reasons = _changed_shards(folder, record)
    if reasons:
        raise UsageError(f"{folder} is stale: {reasons[0]}. Delete it, or extract to another folder.")


def _changed_shards(folder: Path, record: Record) -> list[str]:
    """Which shards are missing, are others than were written, or were added."""
    written = {name: each for name, each in record.files.items() if name != scale.FILE}
    found = {each.name: each for each in _shards(folder)}
    reasons = [f"{name} is missing" for name in sorted(written.keys() - found.keys())]
    reasons += [f"{name} was not written by it" for name in sorted(found.keys() - written.keys())]
    for name in sorted(written.keys() & found.keys()):
        kept, stamped = written[name]
        if list(stamp(found[name])) != list(stamped) and digest(found[name]) != kept:
            reasons.append(f"{name} has changed")
    return reasons


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tfrecord"))


def _say_faults(faults: dict[str, str]) -> None:
    for name, reason in itertools.islice(faults.items(), _NAMED):
        progress.say(f"skipped: {name}: {reason}")
    if len(faults) > _NAMED:
        progress.say(f"skipped: and {len(faults) - _NAMED:,} more")
    if faults:
        progress.say(f"{progress.plural(len(faults), 'file')} skipped")


def _report(folder: Path, dataset: Dataset, split: str) -> None:
    paths = _shards(folder)
    use = Use(labels=split != "test", unique=split == "test")
    for error in report(sample(paths, dataset, SAMPLED), dataset, split, use, paths):
        progress.say(f"warning: {error}; these records cannot be used as they are")


class _Split:
    """The work on a split: its shards, one after the other."""

    def __init__(
        self,
        sources: Sequence[Source],
        out: Path,
        dataset: Dataset,
        workers: Workers,
        settings: dict[str, Any],
        unfinished: Unfinished,
        videos: int,
        published: set[str | None],
    ):
        self._sources, self._out, self._dataset, self._videos = sources, out, dataset, videos
        self._workers, self._settings = workers, settings
        self._published = published
        self.shards = -(-len(sources) // videos)
        self._unfinished = unfinished
        self._known: dict[str, Found] = {}  # what the scale was fitted to, until it is written

    def write_shards(self, scales: dict[str, Scale] | None) -> dict[str, str]:
        """Write all shards that are missing; returns the reason for each video that was skipped."""
        faults: dict[str, str] = {}
        with progress.bar(len(self._sources), "extract") as bar:
            if scales is None:
                scales = self._fitted(bar)
            for number in range(self.shards):
                first = number * self._videos
                part = self._sources[first : first + self._videos]
                sources = self._sources_of(part)
                known = self._unfinished.done(number, sources)
                if known is None:
                    known = self._write(number, part, scales, bar)
                    self._unfinished.finish(number, sources, known)
                else:
                    bar.update(len(self._fresh(part)))
                faults |= known
        return faults

    def _sources_of(self, part: Sequence[Source]) -> dict[str, Any]:
        files = {each.name: each.made_from[1:] for each in part}
        return {"settings": self._settings, "files": files, "scale": digest(self._out / scale.FILE)}

    def _fitted(self, bar: Any) -> dict[str, Scale]:
        """Fit the scales to the first frames and write them."""
        kept: list[Found] = []
        frames = 0
        for found in self._workers.features(self._sources):
            self._known[found.source.name] = found
            bar.update()
            if not found.fault:
                kept.append(found)
                frames += len(next(iter(found.features.values())))
            if frames >= scale.FRAMES:
                break
        scales = {
            name: scale.published(width)
            if name in self._published
            else scale.fit(np.concatenate([each.features[name] for each in kept]))
            for name, width in (self._dataset.features if kept else ())
        }
        if scales:
            stamps = {each.source.name: each.source.stamp for each in kept}
            scale.write(self._out, self._settings, scales, stamps, frames)
            return scales
        raise DataError("no usable video to fit the scale of the features to.")

    def _write(
        self, number: int, part: Sequence[Source], scales: dict[str, Scale], bar: Any
    ) -> dict[str, str]:
        """Write a shard, unless none of its videos can be used."""
        found = list(self._counted(part, bar))
        faults = {each.source.name: each.fault for each in found if each.fault}
        good = [each for each in found if not each.fault]
        for each in good:
            if each.is_silent:
                progress.say(f"{each.source.name} has no sound: silence in its place")
        if good:
            with tfrecord.writing(self._unfinished.shard(number)) as write:
                for each in good:
                    write(self._record(each, scales))
        return faults

    def _counted(self, part: Sequence[Source], bar: Any) -> Iterator[Found]:
        """Yield the features of videos; those that the scale was fitted to, the first ones, are known."""
        fresh = self._fresh(part)
        yield from (self._known.pop(each.name) for each in part[: len(part) - len(fresh)])
        for found in self._workers.features(fresh):
            yield found
            bar.update()

    def _fresh(self, part: Sequence[Source]) -> list[Source]:
        return [each for each in part if each.name not in self._known]

    def _record(self, found: Found, scales: dict[str, Scale]) -> bytes:
        names = [name for name, _ in self._dataset.features]
        codes = {name: scales[name].to_bytes(found.features[name]) for name in names}
        key = self._dataset.id_keys[0]
        return sequence_example(found.source.id, found.source.labels or None, codes, id_key=key)
