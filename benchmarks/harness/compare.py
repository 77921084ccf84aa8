"""For the benchmarks, nothing to run here: ways of doing the same that take turns, and what they took.

A way is a process of its own: its memory is its own, and what it compiled or cached does not help another. It
gets ready, then waits; turns go round, so that whatever else the machine does hits all of them alike. Ratios
are taken turn by turn. CPU time is user + system of the whole process, all its threads.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness.docs_tables import module

REPEATS = 5
# An environment in which numpy uses no vector code, as on processors for which it has none.
SCALAR = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
# Gives, of a way's arguments, its work and what is to be said about it.
Ready = Callable[..., tuple[Callable[[], object], dict[str, Any]]]


class Turn(NamedTuple):
    """Seconds of wall and CPU time, and the most memory that the process had so far, in GiB."""

    wall: float
    cpu: float
    peak: float

    def per(self, count: float) -> "Turn":
        """The times of one of `count` equal parts."""
        return Turn(self.wall / count, self.cpu / count, self.peak)


def timed(work: Callable[[], object]) -> Turn:
    """One call; CPU time and memory are with those of the processes that this one has started."""
    wall, cpu = time.perf_counter(), _all_cpu()
    work()
    shares = sum(map(_share, _children("self")))
    return Turn(time.perf_counter() - wall, _all_cpu() - cpu, peak() + shares)


def _all_cpu() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(map(cpu_of, _children("self")))


def cpu_of(process: int) -> float:
    """CPU seconds that a process which runs has taken, user + system."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree_memory(process: int) -> float:
    """GiB of a process and all those below it now, 0 of those that have just ended."""
    try:
        return _share(process) + sum(map(tree_memory, _children(process)))
    except (OSError, TypeError):
        return 0.0


def _children(process: int | str) -> list[int]:
    """The processes that one has started and that run."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _share(process: int) -> float:
    """GiB of a process now, of memory that it shares its part."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    return int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) / 2**20  # type: ignore[index]


def peak(process: int | str = "self") -> float:
    """GiB that this process, or another one, had at most since it began."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 2**20  # type: ignore[index]


class Way:
    """A process that makes itself ready for some work, and does it once a turn."""

    def __init__(self, arguments: dict[str, Any], environment: Mapping[str, str] | None = None) -> None:
        words = [sys.executable, "-m", module(), "--way", json.dumps(arguments)]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **(environment or {})},
        )
        self.about: dict[str, Any] = self._answer()

    def turn(self) -> Turn:
        """Its work once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Turn(**self._answer())

    def end(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self._process.args)} ended with {self._process.wait()}")  # type: ignore[arg-type]
        return json.loads(line)


def options(parser: argparse.ArgumentParser, ready: Ready, repeats: int = REPEATS) -> argparse.Namespace:
    """What stands on the command line; a process of a Way takes its turns here and ends."""
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--way", help="(for its own processes)")
    found = parser.parse_args()
    if found.way:
        _serve(json.loads(found.way), ready)
        raise SystemExit
    return found


def _serve(arguments: dict[str, Any], ready: Ready) -> None:
    """The other side of Way."""
    work, about = ready(**arguments)
    work()
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        print(json.dumps(timed(work)._asdict()), flush=True)


def turns(ways: Mapping[str, Way], repeats: int) -> dict[str, list[Turn]]:
    """What each way took in each turn; the ways are ended."""
    taken: dict[str, list[Turn]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            taken[name].append(way.turn())
    for way in ways.values():
        way.end()
    return taken


def processes(jobs: Mapping[str, dict[str, Any]], repeats: int) -> dict[str, list[Turn]]:
    """What the ways of these arguments took, each a process."""
    return turns({name: Way(arguments) for name, arguments in jobs.items()}, repeats)


def alternate(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[Turn]]:
    """The same within this process, after one call each to warm up."""
    for work in ways.values():
        work()
    taken: dict[str, list[Turn]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            taken[name].append(timed(work))
    return taken


def of_process(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Turn:
    """A command from start to end; this process must be a small one, for the peak never is below its own."""
    wall = time.perf_counter()
    process = subprocess.Popen(words, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return Turn(time.perf_counter() - wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)


def spread(values: Sequence[float], form: str = ".3g") -> str:
    """Median, and least and greatest."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}} ({low:{form}} to {high:{form}})"


def median(values: Sequence[float], form: str = ".3g") -> str:
    """The median alone."""
    return f"{statistics.median(values):{form}}"


def against(baseline: Sequence[Turn], taken: Sequence[Turn]) -> dict[str, str]:
    """How many times faster, and with how many times less CPU time, turn by turn; and memory beside it."""
    wall, cpu = "1", "1"
    if taken is not baseline:
        wall = spread([base.wall / own.wall for base, own in zip(baseline, taken)], ".2f")
        cpu = spread([base.cpu / own.cpu for base, own in zip(baseline, taken)], ".2f")
    return {"times as fast": wall, "times less CPU": cpu, "peak GiB": f"{max(own.peak for own in taken):.2f}"}
