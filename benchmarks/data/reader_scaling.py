"""Reader throughput against the disk, TFRecordDataset and the starter code, with a cold and a warm cache.

    python -m benchmarks.data.reader_scaling [--videos 2304] [--shards 6] [--repeats 5] [--batch 128]
                                        [--folder TMP] [--write]

Writes records in the real layout (300 frames of 1024 + 128 random bytes). "Cold": the shards are dropped from
the page cache before each pass (posix_fadvise); a drive's own cache, or a virtual machine's host, may still
hold them. The alternatives are interleaved; medians are printed in videos and bytes a second. "raw read" is
the upper bound: read() of the same bytes into one buffer. Then the peak memory for 100 to 3,844 shards.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.data.reader import Ours, starter
from benchmarks.harness import compare, docs_tables
from benchmarks.harness.random_records import write
from yt8m_kit.output.tables import Row, markdown

Way = Callable[[], int]
MEMORY = """
import re, sys
from pathlib import Path
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.prefetch import prefetch
from yt8m_kit.dataset import YOUTUBE8M_2018

paths = sorted(Path(sys.argv[1]).glob("*.tfrecord"))
read = read_batches(paths, YOUTUBE8M_2018, 128, seed=0, readers=1, reuse=2)
videos = sum(len(batch.ids) for batch in prefetch(read, 1))
print(videos, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def raw_read(paths: list[Path]) -> int:
    """Read the shards through one buffer; returns the number of bytes."""
    buffer, size = bytearray(8 << 20), 0
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                size += count
    return size


def iterate(paths: list[Path]) -> int:
    """Read with TFRecordDataset alone: CRCs checked, nothing parsed; returns the number of records."""
    return sum(1 for _ in tf.data.TFRecordDataset([str(path) for path in paths]))


def drop(paths: list[Path]) -> None:
    """Drop the shards from the page cache."""
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def ways(paths: list[Path], batch: int) -> Iterator[tuple[str, Way]]:
    """Yield name and function of each alternative."""
    yield "raw read", partial(raw_read, paths)
    yield "TFRecordDataset, records only", partial(iterate, paths)
    yield "starter's tf.data, 1 thread", partial(starter, paths, batch, None)
    for readers in (1, 2, 4):
        yield f"kit, {readers} reader{'s' if readers > 1 else ''}", Ours(paths, batch, readers=readers)


def throughput(paths: list[Path], options: argparse.Namespace) -> list[Row]:
    """One row per cache state and alternative."""
    size = sum(path.stat().st_size for path in paths)
    passes, rows = dict(ways(paths, options.batch)), []
    for cache, prepare in (("cold", drop), ("warm", raw_read)):
        taken: dict[str, list[compare.Turn]] = {name: [] for name in passes}
        for _ in range(options.repeats):
            for name, way in passes.items():
                prepare(paths)
                taken[name].append(compare.timed(way))
        for name, turns in taken.items():
            bound = [raw.wall / own.wall for raw, own in zip(taken["raw read"], turns)]
            rows.append(
                {
                    "cache": cache,
                    "way": name,
                    "videos/s": compare.spread([options.videos / turn.wall for turn in turns], ",.0f"),
                    "MB/s": compare.median([size / turn.wall / 1e6 for turn in turns], ",.0f"),
                    "of the raw read": compare.median(bound, ".2f"),
                    "CPU us a video": compare.median([turn.cpu / options.videos * 1e6 for turn in turns]),
                }
            )
    return rows


def memory(paths: list[Path], folder: Path) -> list[Row]:
    """Peak memory of a process that reads `count` shards, all links to a small one, per row."""
    rows = []
    for count in (100, 400, 1600, 3844):
        many = folder / f"links{count}"
        many.mkdir()
        for number in range(count):
            (many / f"train{number:04d}.tfrecord").symlink_to(paths[0].absolute())
        words = [sys.executable, "-c", MEMORY, str(many)]
        done = subprocess.run(words, check=True, capture_output=True, encoding="utf-8")
        videos, peak = map(int, done.stdout.split())
        rows.append({"shards": count, "videos read": videos, "peak MB": f"{peak / 1e3:.0f}"})
    return rows


def main() -> None:
    """Measure and print the tables."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=2304)
    parser.add_argument("--shards", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="for temporary files, 350 kB per video")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        rows = throughput(write(folder, options.videos, options.shards), options)
        small = folder / "small"
        small.mkdir()
        peaks = memory(write(small, 4, 1), folder)
    docs_tables.show("reader_scaling", f"{markdown(rows)}\n{markdown(peaks)}", options.write)


if __name__ == "__main__":
    main()
