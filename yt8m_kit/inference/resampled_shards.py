"""Shards of the frames that a member's model draws in training, with a record of what they were made from."""

import json
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yt8m_kit import __version__, backend
from yt8m_kit.data.format.examples import Video, sequence_example
from yt8m_kit.data.format.tfrecord import write_shards
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.selection import read_selected
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.inference.sample_request import SampleRequest
from yt8m_kit.output import progress
from yt8m_kit.output.digest import digest, stamp
from yt8m_kit.output.files import replacing_folder
from yt8m_kit.output.provenance import Record, Sources, changes, file_entry, now, read_record, write_record
from yt8m_kit.pipeline.shards import shards_of
from yt8m_kit.run import Run

RECORD = "sampled.json"  # in the folder of the shards: what they were made from
BATCH = 128  # videos that the layer draws for at once
SHARD = 1000  # videos of a shard
FORMAT = 1  # raised where the same sources would give other shards

Draw = Callable[[NDArray[np.int32], bool], NDArray[np.uint32]]


class ResampledShards:
    """The shards OUT/SPLIT/SPLIT0000.tfrecord and so on of a request.

    Raises UsageError where OUT holds shards of the split that the kit would take in place of these or next to
    them, and for several epochs of a split other than train, whose ids may occur once only.
    """

    def __init__(self, request: SampleRequest, out: Path) -> None:
        self.request, self.out, self.folder = request, out, out / request.split
        others = {path.resolve() for path in splits.folders(out, request.split)} - {self.folder.resolve()}
        if others:
            raise UsageError(
                f"{out} holds other {request.split} shards, in {min(others)}: choose another folder."
            )
        if request.split != "train" and request.epochs > 1:
            raise UsageError(
                f"--epochs must be 1 with --out and --split={request.split}, so that ids occur once; "
                f"got {request.epochs}."
            )
        self.sources = self._sources()

    def _sources(self) -> Sources:
        request, experiment = self.request, self.request.experiment
        dataset = asdict(experiment.recipe.dataset)
        found = {
            "settings": {
                "family": request.member.family,
                "hyperparameters": dict(request.member.hyperparameters),
            },
            "dataset": {key: dataset[key] for key in ("features", "classes", "max_frames", "id_keys")}
            | experiment.recipe.dataset.about_labels,
            "splits": {request.split: shards_of(experiment, request.split)},
            "selection": dict(request.asked),
            "backend": backend.chosen(),
            "format": FORMAT,
        }
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]

    def are_made(self, *, anew: bool) -> bool:
        """True for sound shards of these sources, unless `anew`.

        Raises UsageError for shards of other sources, or of another verb even if `anew`; KitError for damaged
        ones.
        """
        if not self.folder.exists():
            return False
        if not (self.folder / RECORD).exists():
            raise UsageError(f"{self.folder} was not written by yt8m sample: choose another folder.")
        if anew:
            return False
        record = read_record(self.folder / RECORD)
        assert record is not None
        way_out = "Choose another folder, or add --anew, which keeps the old one aside."
        if reasons := changes(record.sources, self.sources):
            raise UsageError(f"{self.folder} is stale: {reasons[0]}. {way_out}")
        if damage := self._damage(record):
            raise KitError(f"{self.folder} is damaged: {damage}. {way_out}")
        progress.say(f"up to date: {self.folder}, made {record.local_time}")
        return True

    def _damage(self, record: Record) -> str:
        """What is wrong with the first bad shard; contents are read only where size or time has changed."""
        for name, (known, at) in record.files.items():
            path = self.folder / name
            if not path.exists():
                return f"{name} is missing"
            if stamp(path) != at and digest(path) != known:
                return f"{name} is not as it was made"
        return ""

    def write(self, draw: Draw) -> None:
        """Write all shards and their record atomically; an old folder is moved to OUT/old/DATE.

        draw: from num_frames int32 (B,) and training to frame numbers uint32 (B, S). Bad records are skipped
        and named on stderr. Raises DataError if none is good.
        """
        with Run(self.out).alone(("sample", self.request.experiment.recipe.name, self.request.name)):
            if self.folder.exists():
                self._put_aside()
            faults = Faults()
            with replacing_folder(self.folder) as temporary, closing(self._records(draw, faults)) as records:
                count = write_shards(records, temporary, self.request.split, SHARD)
                if not count:
                    raise DataError(f"no usable record in {self.request.experiment.data}: {faults.summary()}")
                files = {path.name: file_entry(path) for path in sorted(temporary.iterdir())}
                record = Record(self.sources, files, {"videos": count}, now(), kit=__version__)
                write_record(temporary / RECORD, record)
        if faults:
            progress.say(faults.summary())

    def _put_aside(self) -> None:
        aside = self.out / "old" / datetime.now().strftime("%Y-%m-%dT%H-%M-%S.%f") / self.request.split
        aside.parent.mkdir(parents=True)
        self.folder.rename(aside)
        progress.say(f"kept aside: {aside}")

    def _records(self, draw: Draw, faults: Faults) -> Generator[bytes]:
        """Yield every video of every epoch as a record."""
        dataset = self.request.experiment.recipe.dataset
        with progress.bar(None, "sample") as bar:
            for _ in range(self.request.epochs):
                videos = read_selected(self.request.selection, dataset, faults)
                while batch := list(islice(videos, BATCH)):
                    drawn_BS = draw(num_frames(batch, dataset.max_frames), True)
                    for video, frames_S in zip(batch, drawn_BS):
                        features = [each[frames_S] for each in video.features]
                        named = {name: each for (name, _), each in zip(dataset.features, features)}
                        labels = video.labels or None
                        yield sequence_example(video.id, labels, named, id_key=dataset.id_keys[0])
                    bar.update(len(batch))


def num_frames(videos: list[Video], max_frames: int) -> NDArray[np.int32]:
    """int32 (B,): frames of each video as a model gets them, max_frames at most."""
    return np.array([min(len(video.features[0]), max_frames) for video in videos], np.int32)
