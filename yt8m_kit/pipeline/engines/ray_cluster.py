"""The connection to a Ray cluster, and what its nodes have."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import ray

from yt8m_kit.errors import UsageError
from yt8m_kit.pipeline.engines.on_node import Site, fault_of_node
from yt8m_kit.recipe import folder
from yt8m_kit.run import Experiment

PORT = 6379  # of Ray's head node, unless another is given
SECONDS = 60  # for the cluster's first reply, and for a node to be checked
PASSED_ON = ("YT8M_", "KERAS_", "TF_", "XLA_", "JAX_", "OMP_")  # variables that tasks get from the driver
ADVICE = "Start one on this machine with: ray start --head (or join one: ray start --address=HOST:6379)."


class Node(NamedTuple):
    """A node of the cluster that is alive."""

    id: str
    name: str
    cpus: int
    gpus: int


def connect(address: str) -> None:
    """Connect to the cluster at HOST[:PORT]; "auto": that of RAY_ADDRESS or of this machine.

    Raises UsageError if there is none, or if this machine is not one of its nodes.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    if address != "auto":
        address = address if ":" in address else f"{address}:{PORT}"
        _check_health(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="CRITICAL")
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise UsageError(f"cannot connect to a Ray cluster at {address}: {reason}. {ADVICE}") from None


def _check_health(address: str) -> None:
    """Raise UsageError unless a Ray cluster replies; ray.init would wait for minutes."""
    words = [sys.executable, "-m", "ray.scripts.scripts", "health-check", f"--address={address}"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UsageError(f"no Ray cluster replies at {address} within {SECONDS} s. {ADVICE}") from None
    if done.returncode:
        raise UsageError(f"no Ray cluster replies at {address}. {ADVICE}")


def nodes() -> list[Node]:
    """List the nodes that are alive."""
    return [
        Node(node["NodeID"], f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})",
             int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"]
    ]  # fmt: skip


def variables() -> dict[str, str]:
    """Environment variables that tasks get; the folder of recipes with its absolute path."""
    found = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    # A lost node's processes may hold their locks for some seconds.
    return {"YT8M_LOCK_WAIT": "30"} | found | {"YT8M_RECIPES": str(folder().resolve())}


def check_nodes(experiment: Experiment, splits: Sequence[str], passed_on: Mapping[str, str]) -> None:
    """Raise UsageError if a node lacks the kit, the recipe, the splits' shards or the runs."""
    with _token(experiment.runs) as token:
        site = Site.here(experiment.recipe, experiment.data, splits, token, passed_on)
        check = ray.remote(max_calls=1, max_retries=0, num_cpus=0)(fault_of_node)
        asked = {node: check.options(scheduling_strategy=_only_on(node)).remote(site) for node in nodes()}
        for node, reply in asked.items():
            if fault := _fault(reply):
                raise UsageError(f"node {node.name} {fault}.")


def _only_on(node: Node) -> Any:
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)


def _fault(reply: Any) -> str:
    try:
        return str(ray.get(reply, timeout=SECONDS))
    except ray.exceptions.GetTimeoutError:
        return f"does not reply within {SECONDS} s"
    except ray.exceptions.RayError as error:
        return f"cannot run the kit: {str(error).strip().splitlines()[-1]}"


@contextmanager
def _token(runs: Path) -> Iterator[Path]:
    """A file in the folder of runs, by which nodes recognize it."""
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".driver-", dir=runs) as file:
        yield Path(file.name)
