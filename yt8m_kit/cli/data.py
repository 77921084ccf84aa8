"""Verbs for records: synthesize, download, verify, convert, extract."""

import os
import shlex
from pathlib import Path
from typing import Any, Literal

from yt8m_kit import backend
from yt8m_kit.cli.places import Split, data_place, experiment
from yt8m_kit.cli.process.facts import print_facts
from yt8m_kit.errors import UsageError
from yt8m_kit.fields import Count, Whole
from yt8m_kit.output import progress
from yt8m_kit.output.facts import Table, form_of
from yt8m_kit.recipe import load
from yt8m_kit.stores.path import DataPath

Level = Literal["frame", "video"]
Version = Literal["2", "3"]
SHOWN = 5  # videos in a table of samples, unless ids or another number are given
_DATASETS = {"2": "youtube8m-2018", "3": "youtube8m-2019"}


def synthesize(
    out: Path,
    *,
    train: Count = 3000,
    validate: Count = 1000,
    test: Count = 1000,
    seed: Whole = 0,
    single_label: bool = False,
) -> Path:
    """Write a small data set in the real format, with test labels kept apart.

    out: where to write it.
    train: videos of the train split.
    validate: videos of the validate split.
    test: videos of the test split.
    seed: of all random numbers.
    single_label: one label for each video, for a recipe of a single-label data set.
    """
    from dataclasses import replace

    from yt8m_kit.data.synthesize import synthesize
    from yt8m_kit.dataset import DEMO

    dataset = replace(DEMO, single_label=single_label)
    synthesize(out, train=train, validate=validate, test=test, seed=seed, dataset=dataset)
    if not single_label:
        _say_next("run demo blend", data=out)
    return out


def download(
    what: Literal["records", "vocabulary", "pca", "vggish", "inception2015"] = "records",
    *,
    split: Split | None = None,
    level: Level = "frame",
    version: Version = "2",
    shard: str | None = None,
    limit: int | None = None,
    mirror: Literal["us", "eu", "asia"] = "us",
    connections: int = 8,
    dry_run: bool = False,
    urls: str | None = None,
    data: DataPath | None = None,
) -> DataPath:
    """Fetch the official records of a split; resumes an interrupted download.

    Or label names, the PCA of the visual features, the weights of VGGish or the Inception graph of 2015.

    what: what to fetch.
    split: the part of the data set; records need one.
    level: features of frames, or their means by video.
    version: 2 is the data of 2018, 3 the rated segments of 2019.
    shard: X,Y takes the X-th of Y parts.
    limit: only the first files.
    mirror: the region of the official servers.
    connections: files at a time.
    dry_run: only print the bytes to download and the expected time.
    urls: servers in place of the official ones, separated by commas; else $YT8M_URLS.
    data: where to write; else $YT8M_DATA, else data/DATASET.
    """
    from yt8m_kit.data.download import assets, download, weights
    from yt8m_kit.data.download.partition import Partition, parse_share

    place = data_place(data, _DATASETS[version])
    urls = urls or os.environ.get("YT8M_URLS")
    origin = download.sources(mirror, urls)
    if what == "vocabulary":
        return assets.download_vocabulary(place, version, origin)
    if what == "pca":
        return assets.download_pca(place, origin)
    if what in ("vggish", "inception2015"):
        fetch = weights.download_vggish if what == "vggish" else weights.download_inception
        return fetch(place, origin.labels if urls else [weights.STORAGE])
    if split is None:
        raise UsageError(
            "download needs --split=train, validate or test (or WHAT: vocabulary, pca, vggish, "
            "inception2015)."
        )
    for name, value in (("connections", connections), ("limit", 1 if limit is None else limit)):
        if value < 1:
            raise UsageError(f"--{name} must be at least 1; got {value}.")
    folder = download.download(
        place,
        Partition(version, level, split),
        origin,
        share=parse_share(shard),
        limit=limit,
        connections=connections,
        dry_run=dry_run,
    )
    if not dry_run:
        _say_next("verify", split=split, data=folder)
    return folder


def verify(
    *,
    split: Split | None = None,
    recipe: str | None = None,
    repair: bool = False,
    again: bool = False,
    threads: int | None = None,
    urls: str | None = None,
    data: DataPath | None = None,
    tsv: bool = False,
    json: bool = False,
) -> DataPath | None:
    """Check a split's shards against the published MD5s and read every record in them.

    Records must have the format of YouTube-8M, or of the data set of --recipe.

    recipe: a recipe whose data set gives features and classes.
    repair: download shards again that differ from the published ones.
    again: read shards, too, that are unchanged since an earlier check.
    threads: shards at a time; else one per core.
    urls: servers in place of the official ones, separated by commas; else $YT8M_URLS.
    tsv: print a row for each shard as tab-separated values, in place of the manifest's path.
    json: print a row for each shard as JSON, in place of the manifest's path.
    """
    from yt8m_kit.data import verify
    from yt8m_kit.data.download import download
    from yt8m_kit.data.loader import splits
    from yt8m_kit.dataset import YOUTUBE8M_2018

    form = form_of(tsv=tsv, json=json)
    if split is None:
        raise UsageError("verify needs --split=train, validate or test.")
    if threads is not None and threads < 1:
        raise UsageError(f"--threads must be at least 1; got {threads}.")
    dataset = load(recipe).dataset if recipe else YOUTUBE8M_2018
    paths = splits.find(data_place(data, dataset.name), split)
    origin = download.sources(urls=urls or os.environ.get("YT8M_URLS"))
    shown: list[Table] = []
    try:
        path = verify.verify(
            paths,
            dataset,
            origin,
            split=split,
            repair=repair,
            again=again,
            threads=threads,
            show=shown.append,
        )
    finally:
        if form != "text" and shown:
            print_facts(form, shards=shown[0])
    return path if form == "text" else None


def convert(
    source: Path,
    out: Path,
    *,
    recipe: str | None = None,
    split: Split = "train",
    labels: Path | None = None,
    vocabulary: Path | None = None,
    videos: int = 1000,
    strict: bool = False,
) -> Path:
    """Convert records of your own videos (.tfrecord, MediaPipe's .pb, bytes or floats) to shards OUT/SPLIT.

    Features and classes are those of YouTube-8M, or of --recipe.

    source: the records, or a folder of them.
    out: the data set to write to.
    recipe: a recipe whose data set gives features and classes.
    split: the part of the data set that they become.
    labels: CSV of lines VIDEO,LABEL;LABEL with numbers, or names of --vocabulary, in place of the records'
    labels.
    vocabulary: CSV with the numbers and names of the classes.
    videos: videos of a shard.
    """
    from yt8m_kit.data.convert import convert
    from yt8m_kit.dataset import YOUTUBE8M_2018

    if videos < 1:
        raise UsageError(f"--videos must be at least 1; got {videos}.")
    dataset = load(recipe).dataset if recipe else YOUTUBE8M_2018
    folder = convert(
        source, out, dataset, split=split, labels=labels, names=vocabulary, videos=videos, strict=strict
    )
    _say_next("verify", split=split, recipe=recipe, data=out)
    return folder


def extract(
    videos: Path,
    out: Path,
    *,
    recipe: str,
    split: Split = "train",
    labels: Path | None = None,
    vocabulary: Path | None = None,
    image: str = "InceptionV3",
    image_weights: DataPath | None = None,
    audio_weights: DataPath | None = None,
    pca: Path | None = None,
    size: Count = 299,
    segments: Count | None = None,
    shard_videos: Count = 50,
    jobs: Count = 1,
) -> Path:
    """Extract features of video files to shards OUT/SPLIT, with labels from a CSV or from folder names.

    Features and classes are those of --recipe; a feature whose name begins with audio is made from sound.

    videos: the video files, at any depth.
    out: the data set to write to.
    split: the part of the data set that they become; train comes first.
    labels: CSV of lines VIDEO,LABEL;LABEL with numbers, or names of --vocabulary; else the folder of a video
    is its label.
    vocabulary: CSV with the numbers and names of the classes; else OUT/vocabulary.csv, else the folders.
    image: a model of keras.applications, inception2015 (YouTube-8M's) or FILE.onnx.
    image_weights: its weights without the classifier; else ImageNet's from Keras' store. Of a URL, a copy is
    kept in OUT/weights.
    audio_weights: VGGish's published checkpoint, or its URL.
    pca: yt8m_pca.tgz, for inception2015.
    size: pixels of a side of the images.
    segments: frames of so many even parts of a video; else one a second.
    shard_videos: videos of a shard.
    jobs: processes that decode and run the networks.
    """
    from yt8m_kit.extraction import requirements
    from yt8m_kit.extraction.extract import extract
    from yt8m_kit.extraction.labels import labelled
    from yt8m_kit.extraction.networks import given_weights
    from yt8m_kit.extraction.networks.choice import Choice

    requirements.check(image)
    dataset = load(recipe).dataset
    copies = out / "weights"
    image_file, audio_file = (given_weights.place(each, copies) for each in (image_weights, audio_weights))
    choice = Choice(image, image_file, audio_file, pca, size, segments)
    choice.check(dataset, copies)
    given = labelled(videos, out, dataset, split=split, labels=labels, names=vocabulary)
    for each in (image_weights, audio_weights):
        given_weights.fetch(each, copies)
    folder = extract(given, out, dataset, choice, split=split, videos=shard_videos, jobs=jobs)
    _say_next("verify", split=split, recipe=recipe, data=out)
    return folder


def _say_next(verb: str, **options: Any) -> None:
    """Name the command that comes next; options that are None are left out."""
    words = [f"--{name}={shlex.quote(str(value))}" for name, value in options.items() if value is not None]
    progress.say(f"next: {' '.join(('yt8m', verb, *words))}")


def sample(
    recipe: str,
    member: str,
    *,
    split: Split = "train",
    videos: str | None = None,
    count: int | None = None,
    epochs: int = 1,
    seed: int | None = None,
    out: Path | None = None,
    data: DataPath | None = None,
    anew: bool = False,
) -> Path | None:
    """Print which frames a member draws in training and sees at prediction, or write them as shards.

    videos: ids separated by commas.
    count: the first videos of the split, in place of --videos; else 5 for the table, all with --out.
    epochs: how often training draws.
    seed: in place of the member's.
    out: write shards FOLDER/SPLIT of the frames drawn in training, one epoch after the other, with ids and
    labels unchanged.
    anew: replace shards of other sources; the old ones are kept aside.
    """
    from yt8m_kit.inference.resampled_shards import ResampledShards
    from yt8m_kit.inference.sample_request import sample_request

    given = experiment(recipe, data)
    if count is None and videos is None and out is None:
        count = SHOWN
    request = sample_request(given, member, split, videos=videos, count=count, epochs=epochs, seed=seed)
    shards = ResampledShards(request, out) if out else None
    if shards and shards.are_made(anew=anew):
        return shards.folder
    backend.start()
    from yt8m_kit.inference.sample import sample_table, write_resampled

    if shards:
        write_resampled(request, shards)
        return shards.folder
    print(sample_table(request), end="")
    return None
