"""One run in TensorBoard: its event file, written by TensorBoard's own writer, without TensorFlow."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from yt8m_kit.reporting.tensorboard.points import Points


class Series:
    """Scalars of one run by videos seen, in an event file of `folder`."""

    def __init__(self, folder: Path):
        self._writer = EventFileWriter(str(folder))
        self._written: Points = []

    def describe(self, settings: Mapping[str, bool | float | str]) -> None:
        """Write hyperparameters, for the HParams page."""
        self._add(0, summary=hparams_pb(dict(settings)))

    def update(self, points: Points) -> None:
        """Write the points that are new; where earlier ones changed, TensorBoard is told to drop those."""
        same = _common(points, self._written)
        if same < len(self._written):
            start = points[same][0] if same < len(points) else 0
            self._add(start, session_log=SessionLog(status=SessionLog.START))
        for videos, scalars in points[same:]:
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
            self._add(videos, summary=Summary(value=values))
        self._written = points
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()

    def _add(self, videos: int, **content: Any) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=videos, **content))


def _common(points: Points, written: Points) -> int:
    """How many of the first points are equal."""
    differing = (place for place, (one, other) in enumerate(zip(points, written)) if one != other)
    return next(differing, min(len(points), len(written)))
