"""Records that are legal one by one and wrong as a set."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.first_hour.case import Case, Place
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import Video, example, sequence_example
from yt8m_kit.data.format.feature import FLOATS
from yt8m_kit.data.format.protobuf import delimited
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.data.reading.shards import RecordBuffer
from yt8m_kit.dataset import DEMO

TITLE = "Records"
Serialize = Callable[[Video], bytes]


def _features(video: Video) -> dict[str, np.ndarray]:
    return {name: frames for (name, _), frames in zip(DEMO.features, video.features)}


def _plain(video: Video) -> bytes:
    return sequence_example(video.id, video.labels or None, _features(video))


def _means(video: Video) -> bytes:
    means = {name: frames.mean(axis=0) * 4 / 255 - 2 for name, frames in _features(video).items()}
    return example(video.id, video.labels, means)


def _wide_floats(video: Video) -> bytes:
    """Floats ten times as large as those that the bytes stand for."""
    lists = b"".join(
        delimited(1, delimited(1, name.encode()) + delimited(2, _float_frames(frames)))
        for name, frames in _features(video).items()
    )
    context = sequence_example(video.id, video.labels, {})
    return context + delimited(2, lists)


def _float_frames(frames: np.ndarray) -> bytes:
    rows = ((frames.astype("<f4") * 4 / 255 - 2) * 10).astype("<f4")
    return b"".join(delimited(1, delimited(FLOATS, delimited(1, row.tobytes()))) for row in rows)


def _rewrite(folder: Path, split: str, serialize: Serialize) -> None:
    """Write all records of a split anew."""
    for path in sorted(folder.glob(f"{split}*.tfrecord")):
        buffer = RecordBuffer()
        with ShardGroup([path]) as group, tfrecord.writing(path) as add:
            for record in range(len(group)):
                add(serialize(group.load(record, DEMO, buffer, check_crc=True)))


def _with(split: str, serialize: Serialize) -> Callable[[Place], None]:
    return lambda place: _rewrite(place.data, split, serialize)


def _labelled(labels: Callable[[list[int]], list[int]], split: str = "train") -> Callable[[Place], None]:
    return _with(split, lambda video: _plain(video._replace(labels=labels(video.labels))))


def _named(identity: Callable[[str], str], split: str = "test") -> Callable[[Place], None]:
    return _with(split, lambda video: _plain(video._replace(id=identity(video.id))))


def _other_key(place: Place) -> None:
    _rewrite(place.data, "train", lambda video: _plain(video).replace(b"\x0a\x06labels", b"\x0a\x06genres"))


def _constant_audio(video: Video) -> bytes:
    rgb, audio = video.features
    return _plain(video._replace(features=[rgb, np.zeros_like(audio)]))


def _classes(number: int) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        place.edit("dataset=DEMO", f"dataset=replace(DEMO, classes={number})")
        place.edit("from yt8m_kit.dataset", "from dataclasses import replace\nfrom yt8m_kit.dataset")

    return prepare


def _vocabulary_2017(place: Place) -> None:
    _classes(3862)(place)
    _labelled(lambda labels: [*labels, 4700])(place)


def _stray_shard(place: Place) -> None:
    (place.data / "train").mkdir()
    for path in place.data.glob("train*.tfrecord"):
        shutil.move(path, place.data / "train")
    shutil.copy(place.data / "validate0000.tfrecord", place.data / "train_sample.tfrecord")


def _downloaded_twice(place: Place) -> None:
    shutil.copy(place.data / "train0000.tfrecord", place.data / "train0000 (1).tfrecord")


def _renamed_copy(place: Place) -> None:
    shutil.copy(place.data / "train0000.tfrecord", place.data / "train0007.tfrecord")


def _names(heading: str, count: int) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        lines = [heading, *(f"sound {number}" for number in range(count))]
        (place.root / "names.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return prepare


TRAIN, VERIFY = "yt8m train tiny logistic", "yt8m verify --recipe=tiny --split="
CONVERT = "yt8m convert data/train0000.tfrecord own --recipe=tiny"
PREDICT = "yt8m run tiny logistic --to=export 2>&1 && yt8m predict tiny logistic"
CASES = (
    Case("no labels", TRAIN, 1, "no video has labels", _labelled(lambda labels: [])),
    Case("labels under another key", TRAIN, 1, "label_keys=('genres',)", _other_key),
    Case("too few classes in the Dataset", TRAIN, 1, "Set classes in the recipe's", _classes(8)),
    Case(
        "labels as zeros and ones",
        TRAIN,
        1,
        "labels is a vector of 50 zeros and ones",
        _labelled(lambda labels: [int(label in labels) for label in range(50)]),
    ),
    Case(
        "labels as zeros and ones, of another length",
        TRAIN,
        1,
        "labels repeat within most videos",
        _labelled(lambda labels: [int(label in labels) for label in range(40)]),
    ),
    Case("labels of the 2017 vocabulary", TRAIN, 1, "of the 2017 vocabulary", _vocabulary_2017),
    Case("too few classes, found by verify", f"{VERIFY}train", 1, "to at least 43", _classes(8)),
    Case("floats beyond [-2, 2]", CONVERT, 0, "at the limits -2 and 2, to", _with("train", _wide_floats)),
    Case("a constant feature", f"{VERIFY}train", 0, "audio is constant", _with("train", _constant_audio)),
    Case("means in place of frames", f"{VERIFY}train", 0, "has one frame", _with("train", _means)),
    Case("a stray shard above train/", TRAIN, 2, "train_sample.tfrecord (1 shard) and train/", _stray_shard),
    Case("a shard downloaded twice", TRAIN, 1, "is a copy of train0000.tfrecord", _downloaded_twice),
    Case("a renamed copy of a shard", f"{VERIFY}train", 1, "is a copy of train0000", _renamed_copy),
    Case("ids that occur again", f"{VERIFY}test", 1, "ids occur again", _named(lambda each: each[:-1])),
    Case("ids with blanks", f"{VERIFY}test", 1, "hold blanks or commas", _named(lambda each: f"my {each}")),
    Case(
        "ids that occur again, found by predict", PREDICT, 1, "ids occur again",
        _named(lambda each: each[:-1]), at_once=False,
    ),
    Case(
        "a heading above the names", f"{CONVERT} --vocabulary=names.txt", 0,
        "videos converted", _names("Label", 50),
    ),
    Case(
        "a first name that may be a heading", f"{CONVERT} --vocabulary=names.txt", 1,
        "line 1 is 'Label': a heading, or the name of class 0?", _names("Label", 40),
    ),
    Case(
        "more names than classes", f"{CONVERT} --vocabulary=names.txt", 1,
        "Delete line 1 if 'Klang' is a heading", _names("Klang", 50),
    ),
)  # fmt: skip
