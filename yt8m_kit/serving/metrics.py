"""Figures of a server in Prometheus' text format."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

TYPE = "text/plain; version=0.0.4; charset=utf-8"
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # upper bounds of batches, in videos
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # upper bounds of latencies


class Histogram:
    """Counts of values by upper bound, their number and sum."""

    def __init__(self, name: str, meaning: str, bounds: Sequence[float]):
        self._head = [f"# HELP {name} {meaning}", f"# TYPE {name} histogram"]
        self._name, self._bounds = name, bounds
        self._counts, self._sum = [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self) -> list[str]:
        """Format cumulative counts, sum and number."""
        found, total = [*self._head], 0
        for bound, count in zip([*self._bounds, "+Inf"], self._counts):
            total += count
            found.append(f'{self._name}_bucket{{le="{bound}"}} {total}')
        return [*found, f"{self._name}_sum {self._sum}", f"{self._name}_count {total}"]


class Metrics:
    """What a server has done; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: Counter[int] = Counter()
        self._videos = 0
        self._batches = Histogram("yt8m_batch_videos", "Videos of a run of the graph.", SIZES)
        self._seconds = Histogram("yt8m_request_seconds", "Time from request to answer.", SECONDS)

    def answered(self, status: int, seconds: float) -> None:
        """Count a prediction request that was answered with an HTTP status."""
        with self._lock:
            self._statuses[status] += 1
            self._seconds.add(seconds)

    def ran(self, videos: int) -> None:
        """Count a run of the graph."""
        with self._lock:
            self._videos += videos
            self._batches.add(videos)

    def text(self, *, queue: int, ready: bool) -> str:
        """Format all figures. queue: requests that are being read, wait or run."""
        with self._lock:
            statuses = [
                f'yt8m_requests_total{{status="{status}"}} {count}'
                for status, count in sorted(self._statuses.items())
            ]
            lines = [
                *_head("requests_total", "counter", "Prediction requests by HTTP status."),
                *statuses,
                *_head("videos_total", "counter", "Videos that the graph has run."),
                f"yt8m_videos_total {self._videos}",
                *_head("queue_requests", "gauge", "Requests that are being read, wait or run."),
                f"yt8m_queue_requests {queue}",
                *_head("ready", "gauge", "Whether the graph is loaded."),
                f"yt8m_ready {int(ready)}",
                *self._batches.lines(),
                *self._seconds.lines(),
            ]
        return "".join(f"{line}\n" for line in lines)


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP yt8m_{name} {meaning}", f"# TYPE yt8m_{name} {kind}"]
