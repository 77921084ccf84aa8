"""How much the reader costs, against the way of the YouTube-8M starter code: CPU and wall time a video.

    python -m benchmarks.data.reader [--videos 2048] [--repeats 5] [--batch 128] [--folder TMP]
        [--write]

Writes records in the real layout, of random bytes, so that they lie in the page cache, and visits each once a
turn: with 300 frames, the most that is read, and with 58 to 360, 209 in the mean, a video. The ways, a
process each, take turns; medians are printed with the least and the greatest. CPU time is user + system of
the whole process, all its threads, and of the processes that read beside it, which were started before.
"step" goes on into a nearly free training step; the kit's batches get there by DLPack, without a copy.
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
        count = tf.minimum(tf.shape(frames)[0], MOST)
        frames = frames[:MOST] * DEQUANTIZE_SCALE + DEQUANTIZE_OFFSET
        frames = tf.pad(frames, [[0, MOST - count], [0, 0]])
        parts.append(tf.ensure_shape(frames, (MOST, width)))
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


class Ours:
    """The kit's reader, shuffled: a call goes on for as many videos as there are and gives their number."""

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
        assert self._videos % batch == 0, "a turn is of whole batches"

    def __call__(self) -> int:
        videos = 0
        while videos < self._videos:
            found = next(self._batches)
            if self._step:
                self._step(tf.experimental.dlpack.from_dlpack(found.frames.__dlpack__()))
            videos += len(found.ids)
        return videos


def nearly_free_step() -> Callable[[tf.Tensor], None]:
    """A step that looks at a corner of the batch and updates one small variable."""
    weight = tf.Variable(tf.zeros(64))

    @tf.function(reduce_retracing=True)
    def step(frames: tf.Tensor) -> None:
        weight.assign_sub(0.01 * tf.reduce_mean(tf.cast(frames[:, :4, :64], tf.float32), axis=(0, 1)))

    return step


def ways(paths: list[Path], batch: int) -> Iterator[tuple[str, Callable[[], Way]]]:
    """Name of each way and what makes it, the starter's first for each of reader and step."""
    for ending, step in (("", None), (", step", nearly_free_step())):
        yield f"starter{ending}", partial(partial, starter, paths, batch, step)
        for check_crc in (True, False):
            for readers in (1, 2):
                name = f"kit, CRC {'checked' if check_crc else 'skipped'}, readers {readers}{ending}"
                yield name, partial(Ours, paths, batch, step, check_crc=check_crc, readers=readers)


def counted(way: Way, videos: int) -> None:
    """One turn, which must see every video."""
    seen = way()
    assert seen == videos, f"saw {seen} of {videos} videos"


def ready(way: str, paths: list[str], videos: int, batch: int) -> tuple[Way, dict[str, Any]]:
    """For contest.options."""
    return partial(counted, dict(ways([Path(path) for path in paths], batch))[way](), videos), {}


def rows_of(frames: str, paths: list[Path], videos: int, batch: int, repeats: int) -> list[Row]:
    """A row for each way."""
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
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="where to put 350 kB a video meanwhile")
    options = compare.options(parser, ready)
    rows = []
    for frames, (least, most) in FRAMES.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            paths = write(Path(folder), options.videos, least=least, most=most)
            rows += rows_of(frames, paths, options.videos, options.batch, options.repeats)
    docs_tables.show("reader", markdown(rows), options.write)


if __name__ == "__main__":
    main()
