"""Bytes a second and CPU time of reading shards from an object store, compared with local files.

    python -m benchmarks.data.object_store [--videos 1536] [--repeats 5] [--folder TMP] [--write]

Reads eight shards of records of 300 frames in batches of 128, shuffled, two shards open at a time, so that
two are copied while two are read. The store is a server on the loopback interface, in a process of its own,
that speaks the protocols of S3 and of Google Cloud Storage; local files are in the page cache. Each way is a
process; they take turns. CPU time is user + system of all threads of the reading process: that of the server
is not in it.
"""

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.harness import compare, docs_tables
from benchmarks.harness.random_records import write
from tests.fakes.bucket import Bucket
from yt8m_kit.data.download.download import sources
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.verify import verify
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.stores.path import data_path

SHARDS, OPEN = 8, 2
NOWHERE = sources(urls="http://127.0.0.1:1")


def serve(folder: Path, line: Connection) -> None:
    """Serve a folder as a bucket and send the variables that lead to it; ends with the connection."""
    with Bucket({path.name: path.read_bytes() for path in folder.iterdir()}) as bucket:
        line.send(bucket.environment())
        line.recv()


def epoch(data: str, videos: int, emptied: str | None) -> None:
    """Read all videos once; emptied: the cache folder is deleted before."""
    if emptied:
        shutil.rmtree(emptied, ignore_errors=True)
    batches = read_batches(
        splits.find(data_path(data), "train"), YOUTUBE8M_2018, 128, seed=3, mix=OPEN, reuse=1
    )
    read = sum(len(batch.ids) for batch in batches)
    assert read == videos, f"read {read} of {videos} videos"


def ready(data: str, videos: int, emptied: str | None = None) -> tuple[Callable[[], object], dict[str, Any]]:
    """The work of a way, for compare.options."""
    return partial(epoch, data, videos, emptied), {}


def ways(folder: Path, place: Path, variables: dict[str, str], videos: int) -> dict[str, compare.Way]:
    """A process per way of reading the same shards; local files first. place: of caches."""

    def way(data: str, cache: str = "", *, emptied: bool = False) -> compare.Way:
        job = {"data": data, "videos": videos, "emptied": cache if emptied else None}
        return compare.Way(job, variables | {"YT8M_CACHE": cache})

    web = f"{variables['AWS_ENDPOINT_URL']}/records"
    made = {
        "local files": way(str(folder)),
        "http, into memory": way(web),
        "http, into an empty cache": way(web, f"{place}/empty", emptied=True),
        "http, from the cache": way(web, f"{place}/full"),
    }
    for scheme, package in (("s3", "s3fs"), ("gs", "gcsfs")):
        if find_spec(package):
            made[f"{scheme}, into memory"] = way(f"{scheme}://records")
    return made


def rows_of(taken: dict[str, list[compare.Turn]], size: int) -> list[Row]:
    """One row per way."""
    baseline = next(iter(taken.values()))
    return [
        {
            "records": name,
            "MB/s": compare.spread([size / turn.wall / 1e6 for turn in turns]),
            "CPU s a GB": compare.spread([turn.cpu / size * 1e9 for turn in turns], ".2f"),
            "more CPU s a GB": compare.spread(
                [(turn.cpu - local.cpu) / size * 1e9 for turn, local in zip(turns, baseline)], ".2f"
            ),
            "peak GiB": f"{max(turn.peak for turn in turns):.2f}",
        }
        for name, turns in taken.items()
    ]


def main() -> None:
    """Measure and print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--videos", type=int, default=1536)
    parser.add_argument("--folder", type=Path, help="for temporary files, 1.1 MB per video")
    options = compare.options(parser, ready)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name) / "records"
        folder.mkdir()
        paths = write(folder, options.videos, SHARDS)
        size = sum(path.stat().st_size for path in paths)
        verify(paths, YOUTUBE8M_2018, NOWHERE)
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, theirs))
        server.start()
        taken = compare.turns(ways(folder, Path(name), ours.recv(), options.videos), options.repeats)
        ours.send(None)
        server.join()
    docs_tables.show("object_store", markdown(rows_of(taken, size)), options.write)


if __name__ == "__main__":
    main()
