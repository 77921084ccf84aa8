"""All workers of a data-parallel training: their devices, and what they agree on."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.order import Position
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.machine import signals
from yt8m_kit.training.distributed.launch import Launch
from yt8m_kit.training.distributed.mesh import BatchMesh, mesh_of
from yt8m_kit.training.distributed.processes import Processes


class Workers:
    """The processes and their mesh of devices; each device has its own reader.

    request: the signal noted by this process. agreed: number of the signal at which all stop after the same
    step, 0 for none.
    """

    def __init__(self, processes: Processes, mesh: BatchMesh):
        self.processes, self.mesh = processes, mesh
        self.request = signals.Request()
        self.agreed = 0
        self._has_begun = False
        self._positions: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.processes.rank == 0

    @property
    def shares(self) -> list[tuple[int, int]]:
        """The shares of the records that this process reads, one for each of its devices: (k, n)."""
        return [(k, self.mesh.count) for k, _ in self.mesh.local]

    def notes(self, positions: Iterable[Position]) -> list[NDArray[np.int32]]:
        """Return what this process tells the others in a step, int32 (1, 4) for each of its devices."""
        return [np.array([[self.request.number, *position]], np.int32) for position in positions]

    def hear(self, notes: Any) -> None:
        """Agree on a stop if a worker asked for it in the notes of a step, int32 (N, 4)."""
        self.agreed = self.agreed or int(np.asarray(notes)[:, 0].max())

    def keep(self, notes: Any) -> None:
        """Keep the notes of the latest step, on the device until positions are asked for."""
        self._positions = notes

    def positions(self) -> tuple[Position, ...] | None:
        """Return the position of each device's reader after the latest step; None before the first one."""
        if self._positions is None:
            return None
        return tuple(Position(*row) for row in np.asarray(self._positions)[:, 1:].tolist())

    def begun(self, sources: Any, *, is_done: bool = False) -> bool:
        """Agree to begin; return whether there is something to train.

        sources: JSON value of what the product is made from. is_done: process 0 has the product already.
        Raises UsageError if a process has other sources, KitError if one has failed.
        """
        self._has_begun = True
        own = hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()
        found = self.processes.gathered({"sources": own, "is_done": is_done})
        for rank, other in enumerate(found):
            if "failure" in other:
                raise KitError(f"process {rank} of {len(found)} failed: {other['failure']}")
        self._compare("another recipe or other records", own, [other["sources"] for other in found])
        if found[0]["is_done"]:
            self.leave()
        return not found[0]["is_done"]

    def fail(self, error: BaseException) -> None:
        """Tell the others, if they wait for the beginning, why this process does not take part."""
        if not self._has_begun:
            self.processes.gathered({"failure": str(error)})

    def check_equal(self, what: str, value: Any) -> None:
        """Raise UsageError unless all processes give the same JSON value."""
        self._compare(what, value, self.processes.gathered(value))

    def _compare(self, what: str, value: Any, found: list[Any]) -> None:
        for rank, other in enumerate(found):
            if other != value:
                raise UsageError(
                    f"process {self.processes.rank} has {what} than process {rank}: give all processes the "
                    "same command, recipes, data and versions."
                )

    def scored(self, score: Callable[[], float]) -> float:
        """Return process 0's score of the current weights. Raises TerminatedError in all if it is stopped."""
        found = self.processes.from_first(self._score(score) if self.is_first else None)
        if isinstance(found, list):
            self.agreed = found[0]
            raise signals.TerminatedError(self.agreed)
        return float(found)

    def _score(self, score: Callable[[], float]) -> float | list[int]:
        """The score; of one stopped by a signal, the signal's number in a list."""
        try:
            with signals.raised(signals.ALL):
                return score()
        except signals.TerminatedError as stop:
            return [stop.number]

    def leave(self) -> None:
        """Leave the other processes, once all steps are done."""
        self.processes.leave()


@contextmanager
def joined(devices: int, launched: Launch) -> Iterator[Workers]:
    """Join the other processes, for a training on `devices` devices in all; 0: on all there are.

    Raises KitError if the others do not start, or one is lost later; UsageError if there are too few devices.
    """
    processes = Processes(launched)
    workers = Workers(processes, mesh_of(devices))
    try:
        yield workers
    except jax.errors.JaxRuntimeError as error:
        if processes.count == 1:
            raise
        raise KitError(
            f"another process is lost: {str(error).splitlines()[0]} Once all have ended, the same command "
            "resumes at the last checkpoint."
        ) from error
    except BaseException as error:
        workers.fail(error)
        raise
