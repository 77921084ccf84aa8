"""A mesh of devices over the batch axis: weights replicated, the rows of a batch divided."""

# N devices of the mesh, B videos of the global batch

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from yt8m_kit.errors import UsageError

AXIS = "batch"


class BatchMesh:
    """N devices in global order. local: those of this process, each with its place in that order."""

    def __init__(self, devices: Sequence[Any]):
        mesh = Mesh(np.array(devices), (AXIS,))
        self.divided = NamedSharding(mesh, PartitionSpec(AXIS))  # type: ignore[no-untyped-call]
        self.replicated = NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
        self.count = len(devices)
        here = jax.process_index()
        self.local = [(k, device) for k, device in enumerate(devices) if device.process_index == here]

    def replicate(self, value: Any) -> Any:
        """Copy an array, equal in all processes, to every device."""
        # Copies of their own, as the first step donates their memory.
        copies = [jax.numpy.array(jax.device_put(value, device)) for _, device in self.local]
        return jax.make_array_from_single_device_arrays(np.shape(value), self.replicated, copies)

    def divide(self, parts: Sequence[Any]) -> Any:
        """Place this process' parts (B / N, ...), one per local device, as part of one array (B, ...)."""
        shape = (len(parts[0]) * self.count, *np.shape(parts[0])[1:])
        placed = [jax.device_put(part, device) for part, (_, device) in zip(parts, self.local)]
        return jax.make_array_from_single_device_arrays(shape, self.divided, placed)


def first(value: Any) -> Any:
    """Return a replicated array as the array of this process' first device."""
    return value.addressable_data(0)


def mesh_of(wanted: int) -> BatchMesh:
    """Return a mesh of `wanted` devices, the same number of each process; 0: of all devices.

    Raises UsageError if there are fewer.
    """
    found = jax.devices()
    if wanted > len(found):
        kinds = f"{len(found)} {found[0].device_kind}"
        raise UsageError(f"--devices={wanted} is more than there are: {kinds}; take --devices=all, or fewer.")
    share = (wanted or len(found)) // jax.process_count()
    by_process = [[d for d in found if d.process_index == p] for p in range(jax.process_count())]
    if min(map(len, by_process)) < share or (not wanted and share * len(by_process) != len(found)):
        counts = ", ".join(str(len(devices)) for devices in by_process)
        raise UsageError(f"each process must have {share} devices; got {counts}.")
    return BatchMesh([device for devices in by_process for device in devices[:share]])
