"""How much the reader costs, against the way of the YouTube-8M starter code: CPU and wall time a video.

    python benchmarks/reader.py [--videos 2000] [--repeats 5] [--batch 128] [--folder TMP]

Writes records in the real layout (300 frames of 1024 + 128 random bytes), so that they lie in the page cache,
and visits each once a pass. The ways take turns; medians are printed. CPU time is user + system of the whole
process, all its threads. "step" goes on into a nearly free training step; the kit's batches get there by
DLPack, without a copy.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from yt8m_kit.data import records, tfrecord
from yt8m_kit.data.examples import sequence_example
from yt8m_kit.spec import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, YOUTUBE8M_2018

FRAMES = YOUTUBE8M_2018.max_frames
Way = Callable[[], int]


def write(folder: Path, videos: int, shards: int = 2) -> list[Path]:
    """Shards of videos whose frames are random bytes."""
    rng = np.random.default_rng(0)
    paths = [folder / f"train{shard:04d}.tfrecord" for shard in range(shards)]
    for path, numbers in zip(paths, np.array_split(np.arange(videos), shards)):
        with tfrecord.writing(path) as add:
            for number in numbers:
                features = {
                    name: rng.integers(0, 256, (FRAMES, width), np.uint8)
                    for name, width in YOUTUBE8M_2018.features
                }
                labels = sorted(rng.choice(YOUTUBE8M_2018.classes, 3, replace=False).tolist())
                add(sequence_example(f"{number:04d}", labels, features))
    return paths


def parse_as_the_starter(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """A record to id, float32 frames padded to FRAMES, multi-hot labels and number of frames."""
    context, lists = tf.io.parse_single_sequence_example(
        record,
        context_features={
            "id": tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
        },
        sequence_features={
            name: tf.io.FixedLenSequenceFeature([], tf.string) for name, _ in YOUTUBE8M_2018.features
        },
    )
    labels = tf.sparse.to_indicator(context["labels"], YOUTUBE8M_2018.classes)
    parts = []
    for name, width in YOUTUBE8M_2018.features:
        frames = tf.reshape(tf.cast(tf.io.decode_raw(lists[name], tf.uint8), tf.float32), [-1, width])
        count = tf.minimum(tf.shape(frames)[0], FRAMES)
        frames = frames[:FRAMES] * DEQUANTIZE_SCALE + DEQUANTIZE_OFFSET
        frames = tf.pad(frames, [[0, FRAMES - count], [0, 0]])
        parts.append(tf.ensure_shape(frames, (FRAMES, width)))
    return context["id"], tf.concat(parts, 1), labels, count


def starter(paths: list[Path], batch: int, step: Callable[[tf.Tensor], None] | None) -> int:
    """One pass of the starter's tf.data pipeline; the number of videos."""
    dataset = (
        tf.data.TFRecordDataset([str(path) for path in paths])
        .map(parse_as_the_starter)
        .batch(batch)
        .prefetch(1)
    )
    videos = 0
    for _, frames, _, count in dataset:
        if step:
            step(frames)
        videos += len(count)
    return videos


def ours(
    paths: list[Path], batch: int, step: Callable[[tf.Tensor], None] | None, *, check_crc: bool, threads: int
) -> int:
    """One pass of the kit's reader, shuffled; the number of videos."""
    videos = 0
    for found in records.batches(
        paths, YOUTUBE8M_2018, batch, seed=0, check_crc=check_crc, threads=threads, reuse=1
    ):
        if step:
            step(tf.experimental.dlpack.from_dlpack(found.frames.__dlpack__()))
        videos += len(found.ids)
    return videos


def nearly_free_step() -> Callable[[tf.Tensor], None]:
    """A step that looks at a corner of the batch and updates one small variable."""
    weight = tf.Variable(tf.zeros(64))

    @tf.function(reduce_retracing=True)
    def step(frames: tf.Tensor) -> None:
        weight.assign_sub(0.01 * tf.reduce_mean(tf.cast(frames[:, :4, :64], tf.float32), axis=(0, 1)))

    return step


def ways(paths: list[Path], batch: int) -> Iterator[tuple[str, Way]]:
    """Name and pass of each way, the starter's first for each of reader and step."""
    for ending, step in (("", None), (", step", nearly_free_step())):
        yield f"starter{ending}", partial(starter, paths, batch, step)
        for check_crc in (True, False):
            for threads in (1, 2):
                name = f"kit, CRC {'checked' if check_crc else 'skipped'}, threads {threads}{ending}"
                yield name, partial(ours, paths, batch, step, check_crc=check_crc, threads=threads)


def measure(way: Way, videos: int) -> tuple[float, float]:
    """CPU and wall microseconds a video of one pass."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    seen = way()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert seen == videos, f"saw {seen} of {videos} videos"
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return cpu / videos * 1e6, wall / videos * 1e6


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument(
        "--folder", type=Path, help="where to put 350 kB a video meanwhile; default: the system's"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = write(Path(folder), options.videos)
        contest = dict(ways(paths, options.batch))
        for way in contest.values():  # traces, maps memory, fills the page cache
            way()
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contest}
        for _ in range(options.repeats):
            for name, way in contest.items():
                taken[name].append(measure(way, options.videos))
    print(
        f"{options.videos} videos of {FRAMES} frames, batch {options.batch}, medians of {options.repeats}\n"
    )
    print("| way | CPU us a video | wall us a video | CPU, times less than the starter | wall |")
    print("|---|---|---|---|---|")
    for name, figures in taken.items():
        cpu, wall = (statistics.median(column) for column in zip(*figures))
        if name.startswith("starter"):
            starter_cpu, starter_wall = cpu, wall
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {starter_cpu / cpu:.2f} | {starter_wall / wall:.2f} |")


if __name__ == "__main__":
    main()
