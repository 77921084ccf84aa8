"""CPU and wall time per video of the reader, compared with the input pipeline of the YouTube-8M starter code.

    python -m benchmarks.data.reader [--videos 2048] [--repeats 5] [--batch 128] [--folder TMP]
        [--write]

Writes records of random bytes in the real layout, so that they are in the page cache, and reads each once per
turn: with 300 frames per video, the maximum, and with 58 to 360, 209 on average. The alternatives run in one
process each and are interleaved; medians are printed with minimum and maximum. CPU time is user + system of
all threads of the process and of its reader processes, which were started before. "step" feeds the batches to
a nearly free training step; the kit's batches are passed by DLPack, without a copy.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.harness import compare, docs_tables
from benchmarks.harness.random_records import write
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, YOUTUBE8M_2018
from yt8m_kit.output.tables import Row, markdown

MOST = YOUTUBE8M_2018.max_frames
FRAMES = {"300": (MOST, MOST), "58 to 360": (58, 360)}
Way = Callable[[], object]


def parse_as_the_starter(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Parse a record: id, float32 frames padded to FRAMES, multi-hot labels, number of frames."""
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
        count = tf.minimum(tf.shape(frames)[0], MOST)
        frames = frames[:MOST] * DEQUANTIZE_SCALE + DEQUANTIZE_OFFSET
        frames = tf.pad(frames, [[0, MOST - count], [0, 0]])
        parts.append(tf.ensure_shape(frames, (MOST, width)))
    return context["id"], tf.concat(parts, 1), labels, count


def starter(paths: list[Path], batch: int, step: Callable[[tf.Tensor], None] | None) -> int:
    """Run one pass of the starter's tf.data pipeline; returns the number of videos."""
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


class Ours:
    """The kit's reader, shuffled: a call reads as many videos as the shards have and returns their number."""

    def __init__(
        self,
        paths: list[Path],
        batch: int,
        step: Callable[[tf.Tensor], None] | None = None,
        *,
        check_crc: bool = True,
        readers: int = 1,
    ) -> None:
        self._batches = read_batches(
            paths,
            YOUTUBE8M_2018,
            batch,
            seed=0,
            epochs=None,
            check_crc=check_crc,
            readers=readers,
            reuse=1,
        )
        self._step, self._videos = step, splits.count(paths)
        assert self._videos % batch == 0, "a turn must be a multiple of the batch size"

    def __call__(self) -> int:
        videos = 0
        while videos < self._videos:
            found = next(self._batches)
            if self._step:
                self._step(tf.experimental.dlpack.from_dlpack(found.frames.__dlpack__()))
            videos += len(found.ids)
        return videos


def nearly_free_step() -> Callable[[tf.Tensor], None]:
    """A step that reads a corner of the batch and updates one small variable."""
    weight = tf.Variable(tf.zeros(64))

    @tf.function(reduce_retracing=True)
    def step(frames: tf.Tensor) -> None:
        weight.assign_sub(0.01 * tf.reduce_mean(tf.cast(frames[:, :4, :64], tf.float32), axis=(0, 1)))

    return step


def ways(paths: list[Path], batch: int) -> Iterator[tuple[str, Callable[[], Way]]]:
    """Yield name and factory of each alternative, without and with a step, the starter's first."""
    for ending, step in (("", None), (", step", nearly_free_step())):
        yield f"starter{ending}", partial(partial, starter, paths, batch, step)
        for check_crc in (True, False):
            for readers in (1, 2):
                name = f"kit, CRC {'checked' if check_crc else 'skipped'}, readers {readers}{ending}"
                yield name, partial(Ours, paths, batch, step, check_crc=check_crc, readers=readers)


def counted(way: Way, videos: int) -> None:
    """One turn, which must read every video."""
    read = way()
    assert read == videos, f"read {read} of {videos} videos"


def ready(way: str, paths: list[str], videos: int, batch: int) -> tuple[Way, dict[str, Any]]:
    """The alternative to time, for compare.options."""
    return partial(counted, dict(ways([Path(path) for path in paths], batch))[way](), videos), {}


def rows_of(frames: str, paths: list[Path], videos: int, batch: int, repeats: int) -> list[Row]:
    """One row per alternative."""
    job = {"paths": [str(path) for path in paths], "videos": videos, "batch": batch}
    taken = compare.processes({name: {"way": name} | job for name, _ in ways(paths, batch)}, repeats)
    rows: list[Row] = []
    for name, turns in taken.items():
        own = [turn.per(videos) for turn in turns]
        if name.startswith("starter"):
            baseline = own
        times = {
            "CPU us a video": compare.spread([1e6 * turn.cpu for turn in own]),
            "wall us a video": compare.spread([1e6 * turn.wall for turn in own]),
        }
        rows.append({"frames": frames, "way": name} | times | compare.against(baseline, own))
    return rows


def main() -> None:
    """Measure and print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="for temporary files, 350 kB per video")
    options = compare.options(parser, ready)
    rows = []
    for frames, (least, most) in FRAMES.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            paths = write(Path(folder), options.videos, least=least, most=most)
            rows += rows_of(frames, paths, options.videos, options.batch, options.repeats)
    docs_tables.show("reader", markdown(rows), options.write)


if __name__ == "__main__":
    main()
