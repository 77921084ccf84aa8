"""Random faults of object stores while two shuffled epochs are read: equal to local files, or named.

    python -m tools.store_faults [--count 100] [--seed 0] [--write]

Each trial reads five small shards over the loopback, as https, s3 or gs (those whose packages are installed),
from memory or from a cache folder, by one or two processes, in small pieces; half of the buckets do not know
the MD5s of their objects. One to three shards get a fault
that is met once, twice or always, from a random request on. Trials end in one of three ways: the MD5 of all
batches is that of local files; one line that names the shard; anything else is WRONG, and the exit code 1.
"""

import os
import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness.docs_tables import parser, show
from tests.fakes.bucket import Bucket
from tests.fakes.mirror import Mirror
from tests.fakes.store_faults import FAULTS
from tests.support.stores import digest_of_epochs, reconnect, verified_shards
from yt8m_kit.data.loader import splits
from yt8m_kit.errors import DataError
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.stores import request, transfer
from yt8m_kit.stores.path import StorePath
from yt8m_kit.stores.request import RetryPolicy

SCHEMES = {"https": "aiohttp", "s3": "s3fs", "gs": "gcsfs"}
TIMES = {"once": 1, "twice": 2, "always": 99}
SOON = RetryPolicy(connect=2, seconds=1, attempts=7, refusals=3, backoff=0.02, max_backoff=0.1)


class Trial(NamedTuple):
    """A fault, how often it is met, and how shards are read meanwhile.

    shards: those with the fault. in_parts: a bucket does not know MD5s.
    """

    fault: str
    times: str
    scheme: str
    shards: tuple[int, ...]
    after: int
    piece: int
    readers: int
    is_cached: bool
    in_parts: bool

    @classmethod
    def draw(cls, fault: str, times: str, rng: random.Random) -> "Trial":
        """Draw the rest of a trial."""
        installed = [scheme for scheme, package in SCHEMES.items() if find_spec(package)]
        shards = tuple(rng.sample(range(5), rng.randint(1, 3)))
        piece = rng.choice([400, 700, 8 << 20])
        reading = (rng.randrange(3) if piece < 1000 else 0, piece, rng.choice([1, 1, 2]))
        return cls(
            fault, times, rng.choice(installed), shards, *reading, rng.random() < 0.5, rng.random() < 0.5
        )


def run(trial: Trial, files: dict[str, bytes], expected: str, cache: Path) -> str:
    """Run a trial; returns "equal", a message that names a shard, or what is WRONG."""
    with ExitStack() as stack:
        server = stack.enter_context(_server(trial, files))
        os.environ.update({"YT8M_CACHE": str(cache)} if trial.is_cached else {})
        stack.callback(os.environ.pop, "YT8M_CACHE", None)
        reconnect()
        url = server.url if trial.scheme == "https" else f"{trial.scheme}://records"
        found = splits.find(StorePath.of(url), "train")
        for shard in trial.shards:
            server.faults[found[shard].name] = [None] * trial.after + [FAULTS[trial.fault]] * TIMES[
                trial.times
            ]
        try:
            digest = digest_of_epochs(found, readers=trial.readers)
        except DataError as error:
            lines, names = str(error).splitlines(), [str(found[shard]) for shard in trial.shards]
            is_named = len(lines) == 1 and any(lines[0].startswith(f"{name}: ") for name in names)
            return str(error).replace(url, "URL") if is_named else f"WRONG: {error}"
        except Exception as error:
            return f"WRONG: {error!r}"
        return "equal" if digest == expected else "WRONG: other batches"


def _server(trial: Trial, files: dict[str, bytes]) -> Any:
    if trial.scheme == "https":
        return Mirror(files)
    bucket = Bucket(files)
    bucket.in_parts = trial.in_parts
    os.environ.update(bucket.environment())
    return bucket


def rows(found: dict[str, list[tuple[Trial, str]]]) -> list[Row]:
    """A row per fault: how its trials ended, and the reasons that were given."""
    table = []
    for fault, ends in found.items():
        counts = Counter("equal" if end == "equal" else end[: len("WRONG")] for _, end in ends)
        wrong, equal = counts["WRONG"], counts["equal"]
        said = {re.sub(r" \(\d+ attempts\)", "", end.partition(": ")[2]) for _, end in ends if end != "equal"}
        row: Row = {"fault": fault, "trials": len(ends), "equal": equal, "named": len(ends) - equal - wrong}
        table.append(row | {"wrong": wrong, "reasons": "; ".join(sorted(said))})
    return table


def main() -> int:
    """Run the trials; 1 if one is wrong."""
    made = parser(__doc__)
    made.add_argument("--count", type=int, default=100)
    made.add_argument("--seed", type=int, default=0)
    options = made.parse_args()
    request.COPY = request.LIST = SOON
    rng, found = random.Random(options.seed), defaultdict[str, list[tuple[Trial, str]]](list)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "shards"
        folder.mkdir()
        files = verified_shards(folder)
        expected = digest_of_epochs(splits.find(folder, "train"))
        for number in range(options.count):
            fault = list(FAULTS)[number % len(FAULTS)]
            trial = Trial.draw(fault, list(TIMES)[number // len(FAULTS) % len(TIMES)], rng)
            transfer.PIECE = trial.piece
            end = run(trial, files, expected, Path(temporary) / f"cache{number}")
            print(number, trial, end, file=sys.stderr, flush=True)
            found[fault].append((trial, end))
    schemes = Counter(trial.scheme for trials in found.values() for trial, _ in trials)
    table = rows(found)
    total = {name: sum(row[name] for row in table) for name in ("trials", "equal", "named", "wrong")}
    by = ", ".join(f"{count} over {scheme}" for scheme, count in schemes.items())
    show("store_faults", f"{markdown([*table, {'fault': 'all', **total}])}\n{by}.", options.write)
    return int(bool(total["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
