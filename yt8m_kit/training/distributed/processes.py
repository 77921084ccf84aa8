"""The processes of a training: they join, exchange small values, and leave together.

Values go through the key-value store of JAX's coordination service, on the host: no device waits for them.
"""

import json
import os
import sys
import threading
import time
from typing import Any

from yt8m_kit.errors import KitError
from yt8m_kit.training.distributed.launch import Launch

JOIN_SECONDS = 300  # for the others to start
HEARTBEAT_SECONDS = 30  # without a sign of life a process counts as dead, and the others end
SHUTDOWN_SECONDS = 10  # that a failed process waits for the others, which then end as well
POLL_SECONDS = 0.05


class Processes:
    """This process among `count`; alone, every exchange is with itself.

    rank: from 0 on; process 0 writes all files.
    """

    def __init__(self, launched: Launch):
        """Join the others. Raises KitError if they do not start in time."""
        self.count, self.rank = launched.processes, launched.rank
        self._round = 0
        self._is_joined = launched.processes > 1
        if self._is_joined:
            _send_native_output_to_stderr()
            _join(launched)

    def gathered(self, value: Any) -> list[Any]:
        """Return the JSON values of all processes, by rank; each must call this equally often."""
        self._round += 1
        if not self._is_joined:
            return [value]
        self._put(f"{self._round}/{self.rank}", value)
        return [self._wait(f"{self._round}/{rank}") for rank in range(self.count)]

    def from_first(self, value: Any = None) -> Any:
        """Return the JSON value of process 0, which alone gives one; each must call this equally often."""
        self._round += 1
        if self._is_joined and self.rank == 0:
            self._put(f"{self._round}/0", value)
        return value if self.rank == 0 else self._wait(f"{self._round}/0")

    def leave(self) -> None:
        """Leave, once all processes do: from then on, each may end on its own."""
        if self._is_joined:
            import jax

            self.gathered(None)  # process 0 may be writing a checkpoint for longer than a shutdown waits
            self._is_joined = False
            jax.distributed.shutdown()  # type: ignore[no-untyped-call]

    def _put(self, key: str, value: Any) -> None:
        _client().key_value_set(f"yt8m/{key}", json.dumps(value))

    def _wait(self, key: str) -> Any:
        """Wait for a value; heartbeats end this process if the other one is dead."""
        while (text := _value(key)) is None:
            time.sleep(POLL_SECONDS)  # short, so that signals are handled
        return json.loads(text)


def _send_native_output_to_stderr() -> None:
    """Keep stdout for Python, and so for the product's path: Gloo reports its connections there."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(own, "w", encoding="utf-8")


def _join(launched: Launch) -> None:
    """Connect in a thread: JAX blocks signals meanwhile, and aborts the process when its time is up."""
    failures: list[BaseException] = []
    thread = threading.Thread(target=_connect, args=(launched, failures), daemon=True)
    thread.start()
    deadline = time.monotonic() + JOIN_SECONDS
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(POLL_SECONDS)
    if thread.is_alive():
        raise KitError(
            f"the other processes did not start within {JOIN_SECONDS} s; process {launched.rank} of "
            f"{launched.processes} waited{_where(launched)}. Start all of them with the same command."
        )
    if failures:
        reason = str(failures[0]).splitlines()[0]
        raise KitError(f"process {launched.rank} of {launched.processes} cannot join the others: {reason}")


def _where(launched: Launch) -> str:
    if not launched.address:
        return ""
    return f" at {launched.address}" if launched.rank == 0 else f" for process 0 at {launched.address}"


def _connect(launched: Launch, failures: list[BaseException]) -> None:
    """Join the others; what JAX raises is kept for the main thread."""
    import jax

    known: dict[str, Any] = {"cluster_detection_method": launched.method}
    if launched.address:
        known = {
            **{"coordinator_address": launched.address, "num_processes": launched.processes},
            **{"process_id": launched.rank, "cluster_detection_method": "deactivate"},
        }
    try:
        jax.distributed.initialize(
            **known,
            initialization_timeout=2 * JOIN_SECONDS,  # longer than anybody waits for this thread
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        failures.append(error)


def _client() -> Any:
    from jax._src import distributed

    return distributed.global_state.client


def _value(key: str) -> str | None:
    import jax

    try:
        return str(_client().key_value_try_get(f"yt8m/{key}"))
    except jax.errors.JaxRuntimeError as error:
        if "NOT_FOUND" in str(error):
            return None
        raise KitError(
            f"the connection to the other processes is lost: {str(error).splitlines()[0]}"
        ) from None
