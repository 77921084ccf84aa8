"""What a launcher says of the processes of a training: Slurm, Open MPI, or three variables."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from yt8m_kit.errors import UsageError

ADDRESS, COUNT, RANK = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
# By method, as JAX names it: what shows that it launched this process, its number of processes, and the rank.
LAUNCHERS = {
    "slurm": ("SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID"),
    "ompi": ("OMPI_MCA_orte_hnp_uri", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
}


class Launch(NamedTuple):
    """processes: their number. rank: of this process, from 0 on. address: HOST:PORT of process 0.

    method: the launcher that JAX asks for the address; None for the three variables, or a single process.
    """

    processes: int = 1
    rank: int = 0
    address: str | None = None
    method: str | None = None


def launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """Read how this process was launched. Raises UsageError for variables that do not fit together."""
    if COUNT in environment or RANK in environment:
        return _by_variables(environment)
    for method, (shown, count, rank) in LAUNCHERS.items():
        if all(name in environment for name in (shown, count, rank)):
            found = Launch(_number(environment, count), _number(environment, rank), None, method)
            return found if found.processes > 1 else Launch()
    return Launch()


def _by_variables(environment: Mapping[str, str]) -> Launch:
    missing = [name for name in (ADDRESS, COUNT, RANK) if not environment.get(name)]
    if missing:
        raise UsageError(f"{', '.join(missing)} must be set as well: {ADDRESS}=HOST:PORT {COUNT}=2 {RANK}=0.")
    address, count, rank = environment[ADDRESS], _number(environment, COUNT), _number(environment, RANK)
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"{ADDRESS} must be HOST:PORT of process 0; got {address!r}.")
    if rank >= max(count, 1):
        raise UsageError(f"{RANK} must be from 0 to {COUNT} - 1; got {rank} of {count}.")
    return Launch(count, rank, address) if count > 1 else Launch()


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment[name]
    if not text.isdecimal():
        raise UsageError(f"{name} must be a whole number; got {text!r}.")
    return int(text)
