"""Throughput and CPU cost of a download from an unthrottled server on the loopback interface.

    python -m benchmarks.data.download [--megabytes 64] [--files 16] [--folder TMP] [--repeats 5]
        [--write]

Measures bytes a second and CPU seconds per GB (hashing included) over 1, 4 and 8 connections, with MD5 alone
for comparison. A plan of 3,844 files of 1 kB then gives the cost per file.
"""

import hashlib
import json
import multiprocessing
import os
import re
import resource
import string
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.harness import compare, docs_tables
from yt8m_kit.data.download.download import download, sources
from yt8m_kit.data.download.partition import Partition, parse_plan
from yt8m_kit.output.tables import Row, markdown

TRAIN = Partition("2", "frame", "train")
DIGITS = string.ascii_lowercase + string.ascii_uppercase + string.digits
NAMES = [f"train{a}{b}.tfrecord" for a in DIGITS for b in DIGITS]


class Handler(BaseHTTPRequestHandler):
    """Send files of the current folder, with Range."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else 40 ms pass between the header and a short body

    def do_GET(self) -> None:
        path = Path(self.path.lstrip("/"))
        size = path.stat().st_size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        start = int(wanted[1]) if wanted else 0
        count = (int(wanted[2]) + 1 if wanted and wanted[2] else size) - start
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{start + count - 1}/{size}")
        self.send_header("Content-Length", str(count))
        self.end_headers()
        with path.open("rb") as file:
            self.connection.sendfile(file, start, count)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def serve(folder: Path, line: Connection) -> None:
    """Serve a folder and send the port."""
    os.chdir(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    line.send(server.server_port)
    server.serve_forever()


def fill(folder: Path, files: int, size: int) -> None:
    """Write random files of `size` bytes and their plan."""
    shards = TRAIN.folder(folder)
    shards.mkdir(parents=True)
    for name in NAMES[:files]:
        (shards / name).write_bytes(os.urandom(size))
    sums = {name: hashlib.md5((shards / name).read_bytes()).hexdigest() for name in NAMES[:files]}
    plan = folder / TRAIN.plan
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps({"files": sums}))


def cpu() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(origin: Path, files: int, size: int, connections: int) -> tuple[float, float]:
    """Wall and CPU seconds of a download of all files."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(origin, theirs), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory(dir=origin.parent) as name:
            urls = sources(urls=f"http://127.0.0.1:{ours.recv()}")
            before, began = cpu(), time.perf_counter()
            folder = download(Path(name), TRAIN, urls, connections=connections)
            wall, used = time.perf_counter() - began, cpu() - before
            assert len(list(folder.glob("*.tfrecord"))) == files
            assert all(path.stat().st_size == size for path in folder.glob("*.tfrecord"))
        return wall, used
    finally:
        server.terminate()
        server.join()


def hashing(origin: Path) -> float:
    """Bytes a second of MD5 alone, of data in memory, on one thread."""
    shards = parse_plan((origin / TRAIN.plan).read_bytes())
    contents = [(TRAIN.folder(origin) / shard.remote).read_bytes() for shard in shards]
    began = time.process_time()
    for content in contents:
        hashlib.md5(content).hexdigest()
    return sum(map(len, contents)) / (time.process_time() - began)


def row_of(origin: Path, files: int, size: int, connections: int, repeats: int) -> Row:
    """The row of repeated downloads of all files."""
    total = files * size
    walls, cpus = zip(*(timed(origin, files, size, connections) for _ in range(repeats)))
    return {
        "files": f"{files:,} of {size / 1e6:g} MB",
        "connections": connections,
        "MB/s": compare.spread([total / wall / 1e6 for wall in walls], ".3g"),
        "files/s": compare.median([files / wall for wall in walls]),
        "CPU s a GB": compare.spread([used / total * 1e9 for used in cpus], ".2f"),
        "CPU ms a file": compare.median([used / files * 1e3 for used in cpus], ".1f"),
    }


def main() -> None:
    """Measure and print the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    size = options.megabytes * 10**6
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        large, small = Path(name) / "large", Path(name) / "small"
        fill(large, options.files, size)
        hashed = [hashing(large) / 1e6 for _ in range(options.repeats)]
        rows = [row_of(large, options.files, size, each, options.repeats) for each in (1, 4, 8)]
        fill(small, len(NAMES), 1000)
        rows.append(row_of(small, len(NAMES), 1000, 8, options.repeats))
    alone = f"MD5 alone, one thread: {compare.spread(hashed, ',.0f')} MB/s."
    docs_tables.show("download", f"{alone}\n\n{markdown(rows)}", options.write)


if __name__ == "__main__":
    main()
