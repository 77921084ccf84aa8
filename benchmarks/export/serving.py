"""Predictions over HTTP: videos/s and latency of `yt8m serve`, beside `yt8m predict` on the same graph.

    python -m benchmarks.export.serving [--member netvlad] [--clients 1,8,64] [--seconds 20] [--videos 1000]
        [--folder TMP] [--write]

A member of random weights at its real width (benchmarks/recipes/speed.py), exported with its default codec.
Each client sends one random record of 300 frames, 350 kB, in the signature `records`, over a connection that
it keeps, and the next one once it has the answer. All clients are threads of one process, which shares the
cores with the server. `predict` reads as many records of the same kind; its start, measured with a tenth of
them, is left out.
"""

import base64
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import compare, docs_tables, random_records
from yt8m_kit.data.format import tfrecord
from yt8m_kit.machine import cpu
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment, Run

RECIPES = Path(__file__).parents[1] / "recipes"
WARM_UP = 2.0  # seconds of a case that do not count
BODIES = 16  # different ones
BATCH = "yt8m_batch_videos"


def prepare(runs: str, member: str) -> None:
    """Random weights of a member, as if averaged."""
    from benchmarks.harness import quiet  # noqa: F401
    from yt8m_kit.inference.member_model import model_of, save_weights
    from yt8m_kit.pipeline.job import adopt
    from yt8m_kit.pipeline.stages import Stages

    recipe = load("speed")
    run = Run.of(Path(runs), recipe.name, member)
    run.path.mkdir(parents=True)
    save_weights(model_of(recipe.member(member), recipe.dataset), run.averaged)
    adopt(Stages(Experiment(recipe, Path(runs), Path(runs))).average(member))


def yt8m(verb: str, member: str, runs: Path, *options: str) -> list[str]:
    """A verb's command line."""
    return [sys.executable, "-m", "yt8m_kit.cli", verb, "speed", member, f"--runs={runs}", *options]


def predicted(member: str, runs: Path, data: Path) -> float:
    """Seconds of a whole `yt8m predict`."""
    turn = compare.of_process(yt8m("predict", member, runs, f"--data={data}"))
    Run.of(runs, "speed", member).submission.unlink()
    return turn.wall


def bodies(shard: Path) -> list[bytes]:
    """Requests of one record each."""
    index, content = tfrecord.index(shard), shard.read_bytes()
    pairs = list(zip(index.offsets.tolist(), index.lengths.tolist()))[:BODIES]
    records = (base64.b64encode(content[start : start + size]).decode() for start, size in pairs)
    found = ({"signature_name": "records", "instances": [{"b64": text}]} for text in records)
    return [json.dumps(each).encode() for each in found]


@contextmanager
def serving(member: str, runs: Path) -> Iterator[int]:
    """A server; yields its port."""
    command = yt8m("serve", member, runs, "--port=0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr is not None
        ports = (re.search(r"http://[\d.]+:(\d+)/", line) for line in process.stderr)
        yield int(next(found for found in ports if found)[1])
        process.terminate()


class Clients:
    """Threads that send requests one after the other; seconds of each answer that counts."""

    def __init__(self, port: int, member: str, requests: Sequence[bytes]):
        self.port, self.path, self.requests = port, f"/v1/models/{member}:predict", requests
        self.taken: list[float] = []

    def run(self, clients: int, seconds: float) -> float:
        """Let them send for so long; returns videos/s."""
        self.begin = time.perf_counter() + WARM_UP
        self.end = self.begin + seconds
        threads = [threading.Thread(target=self._send, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(self.taken) / seconds

    def _send(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        while (began := time.perf_counter()) < self.end:
            connection.request("POST", self.path, self.requests[number % len(self.requests)])
            reply = connection.getresponse()
            content = reply.read()
            assert reply.status == 200, content
            now = time.perf_counter()
            if self.begin <= now <= self.end:
                self.taken.append(now - began)
            number += 1
        connection.close()


def batches(port: int) -> tuple[float, float]:
    """Runs of the graph so far, and their videos."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = dict(line.split(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return float(found[f"{BATCH}_count"]), float(found[f"{BATCH}_sum"])


def case(port: int, member: str, requests: Sequence[bytes], clients: int, seconds: float) -> Row:
    """The row of so many clients."""
    before, sender = batches(port), Clients(port, member, requests)
    speed = sender.run(clients, seconds)
    runs, videos = (after - start for after, start in zip(batches(port), before))
    shares = statistics.quantiles(sender.taken, n=100)
    return {
        "": f"serve, {clients} client{'s' * (clients > 1)}",
        "videos/s": f"{speed:.0f}",
        "p50 ms": f"{1e3 * shares[49]:.0f}",
        "p99 ms": f"{1e3 * shares[98]:.0f}",
        "videos a run": f"{videos / runs:.1f}",
    }


def rows_of(folder: Path, member: str, counts: Sequence[int], seconds: float, videos: int) -> list[Row]:
    """The rows of all cases, and of `predict`."""
    runs, many, few = folder / "runs", folder / "many", folder / "few"
    for data, number in ((many, videos), (few, videos // 10)):
        data.mkdir()
        shards = random_records.write(data, number, split="test")
    arguments = ["--step", member, "--folder", str(runs)]
    subprocess.run([sys.executable, "-m", docs_tables.module(), *arguments], check=True)
    subprocess.run(yt8m("export", member, runs), check=True, stdout=subprocess.DEVNULL)
    with serving(member, runs) as port:
        rows = [case(port, member, bodies(shards[0]), clients, seconds) for clients in counts]
    took = predicted(member, runs, many) - predicted(member, runs, few)
    return [
        *rows,
        {"": "predict", "videos/s": f"{(videos - videos // 10) / took:.0f}", "videos a run": "128"},
    ]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--member", default="netvlad")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where to put 350 kB a video meanwhile")
    parser.add_argument("--step", help="(for its own processes)")
    options = parser.parse_args()
    os.environ["YT8M_RECIPES"] = str(RECIPES)
    if options.step:
        return prepare(str(options.folder), options.step)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        counts = [int(number) for number in options.clients.split(",")]
        rows = rows_of(Path(folder), options.member, counts, options.seconds, options.videos)
    busy = f"Load of the {cpu.cores()} cores by other work before: {load_before:.1f}."
    docs_tables.show("serving", f"{markdown(rows)}\n{busy}", options.write)


if __name__ == "__main__":
    main()
