"""Synthesize a small data set in the real format, on which everything runs and model families differ.

Shared with the real data: keys, quantization, Zipf-like label frequencies, the number of labels per video,
co-occurrence of labels by topic, one to three scenes per video, and autoregressive frame noise (standard
deviation near 0.8 and lag-1 correlation 0.5 within a video; standard deviation 0.3 of the videos' means).

Signal: each label has a word, a direction w in frame space, and the frames of its scene contain +w or -w. In
the mean frame these cancel except for chance, and only a weak component of the label and its topic remains.
So an average of frames finds some of the labels; a family with frame features before pooling finds most.
"""

# T frames of a video, D bytes of a frame (all features), C classes, P topics

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import example, sequence_example
from yt8m_kit.data.format.feature_quantization import quantize
from yt8m_kit.dataset import DEMO, DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, Dataset
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.checksums import write_with_checksum
from yt8m_kit.output.files import write_json

_SETTINGS, _UNFINISHED = "manifest.json", "unfinished"  # written last; exists while shards are written
_DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits
_FORMAT = 1  # raise it when the same settings yield other records
_LENGTHS = (12, 40)  # range of frames per video, inclusive; some exceed DEMO.max_frames
_LABELS_A_VIDEO = np.array([25, 23, 19, 16, 9, 6, 4]) / 102  # P(one label), P(two), ... of the real data
_SCENES_A_VIDEO = np.array([0.6, 0.3, 0.1])
_SHORTEST_SCENE = 4  # frames
_ZIPF = (1.4, -1.08)  # the r-th label has frequency (r + 1.4) ** -1.08, within 15 % of the real one
_CO_OCCURRENCE = 3.0  # added to the log odds of the labels of the first label's topic
_CORRELATION = 0.5  # of adjacent frames
# Standard deviations per dimension, in units of dequantized features.
_NOISE, _SCENE, _WORD, _TOPIC, _LABEL = 0.75, 0.2, 0.25, 0.05, 0.02


class World(NamedTuple):
    """Parameters that all videos share: log frequency float64 (C,) and topic int64 (C,) of each label.

    words (C, D), labels (C, D), topics (P, D): directions in frame space, float32, standard normal.
    """

    log_frequencies: np.ndarray
    topic_of: np.ndarray
    words: np.ndarray
    labels: np.ndarray
    topics: np.ndarray


def make_world(classes: int, width: int, seed: int) -> World:
    """Draw the world of a seed for frames of `width` dimensions."""
    rng = np.random.default_rng((seed, 0))
    frequencies = (np.arange(1, classes + 1) + _ZIPF[0]) ** _ZIPF[1]
    topics = max(1, round(classes**0.5))
    return World(
        np.log(frequencies / frequencies.sum()),
        np.arange(classes) % topics,  # so that each topic has frequent and rare labels
        words=rng.standard_normal((classes, width), np.float32),
        labels=rng.standard_normal((classes, width), np.float32),
        topics=rng.standard_normal((topics, width), np.float32),
    )


def draw_labels(world: World, rng: np.random.Generator, *, single: bool = False) -> np.ndarray:
    """Draw the labels of a video, or a single one: int64, ascending, distinct."""
    classes = len(world.topic_of)
    count = min(classes, 1 + int(rng.choice(len(_LABELS_A_VIDEO), p=_LABELS_A_VIDEO)))
    # Gumbel top-k: the largest of log odds plus Gumbel noise are a draw without replacement.
    score_C = world.log_frequencies + rng.gumbel(size=classes)
    first = score_C.argmax()
    score_C[world.topic_of == world.topic_of[first]] += _CO_OCCURRENCE
    score_C[first] = np.inf
    labels: np.ndarray = np.sort(np.argsort(-score_C)[: 1 if single else count])
    return labels


def draw_frames(world: World, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the frames of a video, float32 (T, D); its scenes partition its labels."""
    length = int(rng.integers(*_LENGTHS, endpoint=True))
    scenes = 1 + int(rng.choice(len(_SCENES_A_VIDEO), p=_SCENES_A_VIDEO))
    spare = rng.multinomial(length - scenes * _SHORTEST_SCENE, rng.dirichlet(np.ones(scenes)))
    scene_T = np.repeat(np.arange(scenes), _SHORTEST_SCENE + spare)
    # A frame shows one label of its scene. Label and sign persist over frames, so they are correlated, too.
    drawn_T = np.concatenate(
        [
            rng.choice(labels[scene::scenes] if scene < len(labels) else labels, extra + _SHORTEST_SCENE)
            for scene, extra in enumerate(spare)
        ]
    )
    stays_T = (rng.random(length) < _CORRELATION) & (np.diff(scene_T, prepend=-1) == 0)
    last_T = np.maximum.accumulate(np.where(stays_T, 0, np.arange(length)))
    sign_T = rng.choice(np.array([-1, 1], np.float32), length)[last_T]

    width = world.words.shape[1]
    frames_TD = _NOISE * _noise(length, width, rng)
    frames_TD += _SCENE * rng.standard_normal((scenes, width), np.float32)[scene_T]
    frames_TD += _WORD * sign_T[:, np.newaxis] * world.words[drawn_T[last_T]]
    frames_TD += _LABEL * world.labels[labels].sum(axis=0)
    frames_TD += _TOPIC * world.topics[np.unique(world.topic_of[labels])].sum(axis=0)
    return frames_TD


def _noise(length: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Stationary AR(1) noise of variance 1, float32 (T, D)."""
    noise_TD = rng.standard_normal((length, width), np.float32)
    noise_TD[1:] *= (1 - _CORRELATION**2) ** 0.5
    for t in range(1, length):
        noise_TD[t] += _CORRELATION * noise_TD[t - 1]
    return noise_TD


def synthesize(
    out: Path,
    *,
    train: int = 3000,
    validate: int = 1000,
    test: int = 1000,
    shards: int = 4,
    classes: int | None = None,
    seed: int = 0,
    level: str = "frame",
    dataset: Dataset = DEMO,
) -> None:
    """Write a data set to `out`: SPLIT0000.tfrecord and so on, `shards` per split.

    train, validate, test: videos per split. The labels of split test are not in its records, but in
    test_truth.csv (VideoId,Labels). level: "frame" writes SequenceExamples, "video" Examples with the means
    of the frames. dataset: gives features, key of the id, whether each video has a single label, and classes
    (unless `classes` is given). 150 MB at the default sizes. The command line leaves shards, classes and
    level at their defaults; tests use them for small sets, other vocabularies and video-level records.
    Does nothing if `out` holds the complete set of these settings. Raises UsageError if it holds another set
    or shards that were not synthesized, and for settings out of range; KitError if a file cannot be written.
    """
    splits = {"train": train, "validate": validate, "test": test}
    classes = dataset.classes if classes is None else classes
    _check(splits, shards, classes, seed, level)
    settings = {
        "format": _FORMAT,
        **splits,
        "shards": shards,
        "classes": classes,
        "seed": seed,
        "level": level,
    }
    if dataset.features != DEMO.features:
        settings["features"] = [list(feature) for feature in dataset.features]
    if dataset.single_label:
        settings["single_label"] = True
    if _complete(out, settings):
        progress.say(f"up to date: {out}")
        return
    world = make_world(classes, dataset.width, seed)
    total = sum(splits.values())
    with (
        progress.work(f"synthesize {out}", progress.plural(total, "video")) as finish,
        progress.bar(total, f"synthesize {out.name}") as bar,
    ):
        first = 0
        for split, videos in splits.items():
            truth = ["VideoId,Labels\n"]
            numbers = np.arange(first, first + videos)
            for shard, members in enumerate(np.array_split(numbers, min(shards, videos))):
                with tfrecord.writing(out / f"{split}{shard:04d}.tfrecord") as write:
                    for video_id, labels, record in _records(
                        world, dataset, seed, members, split != "test", level
                    ):
                        write(record)
                        truth.append(f"{video_id},{' '.join(map(str, labels))}\n")
                        bar.update()
            if split == "test":
                write_with_checksum(out / "test_truth.csv", "".join(truth).encode())
            first += videos
    write_json(out / _SETTINGS, settings)
    (out / _UNFINISHED).unlink()
    finish(f"{progress.plural(total, 'video')} in {out}")


def _check(splits: dict[str, int], shards: int, classes: int, seed: int, level: str) -> None:
    least = {**dict.fromkeys(splits, 1), "shards": 1, "classes": 1, "seed": 0}
    given = {**splits, "shards": shards, "classes": classes, "seed": seed}
    wrong = [
        f"{name} must be at least {least[name]}; got {given[name]}."
        for name in given
        if given[name] < least[name]
    ]
    if level not in ("frame", "video"):
        wrong.append(f"level must be frame or video; got {level}.")
    if wrong:
        raise UsageError(" ".join(wrong))


def _complete(out: Path, settings: dict[str, Any]) -> bool:
    """Whether `out` holds this set; if not, prepare it and delete the shards of an interrupted call."""
    settings_file, unfinished = out / _SETTINGS, out / _UNFINISHED
    if settings_file.exists():
        stored = _read_settings(settings_file)
        differing = [
            f"{key}={stored.get(key)}, not {value}"
            for key, value in settings.items()
            if stored.get(key) != value
        ]
        if differing:
            raise UsageError(
                f"{out} holds a data set with {', '.join(differing)}: choose another folder or delete it."
            )
        unfinished.unlink(missing_ok=True)
        return True
    shards = list(out.glob("*.tfrecord"))
    if shards and not unfinished.exists():
        raise UsageError(f"{shards[0]} was not synthesized: choose another folder.")
    out.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    for shard in (*shards, *out.glob(".*.tfrecord.partial")):
        shard.unlink()
    return False


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")).items())
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise KitError(f"{path} is damaged: {error}. Delete its folder and synthesize again.") from None


def _records(
    world: World, dataset: Dataset, seed: int, numbers: np.ndarray, labelled: bool, level: str
) -> Iterator[tuple[str, list[int], bytes]]:
    """Yield id, labels and serialized record of the videos, each independent of the others."""
    edges = np.cumsum([width for _, width in dataset.features])[:-1]
    for number in numbers.tolist():
        rng = np.random.default_rng((seed, 1, number))
        labels = draw_labels(world, rng, single=dataset.single_label)
        codes_TD = quantize(draw_frames(world, labels, rng))
        parts = zip((name for name, _ in dataset.features), np.split(codes_TD, edges, axis=1))
        video_id = "".join(_DIGITS[number // 62**digit % 62] for digit in range(3, -1, -1))
        given = labels.tolist() if labelled else None
        if level == "frame":
            record = sequence_example(video_id, given, dict(parts), id_key=dataset.id_keys[0])
        else:
            means = {name: part.mean(axis=0) * DEQUANTIZE_SCALE + DEQUANTIZE_OFFSET for name, part in parts}
            record = example(video_id, given, means)
        yield video_id, labels.tolist(), record
