"""Devices for the members' processes."""

import math
from collections.abc import Mapping, Sequence

JAX_SHARE = 0.75  # of a GPU's memory that JAX takes at its start


def places(members: int, gpus: Sequence[str], environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the variables of each member's process: one GPU each, in turn; none where there is no GPU.

    Members that share a GPU take its memory in parts, unless `environment` says otherwise.
    """
    if not gpus:
        return [{} for _ in range(members)]
    sharing = math.ceil(members / len(gpus))
    parts = {
        "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{math.floor(100 * JAX_SHARE / sharing) / 100}",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    shared = {name: value for name, value in parts.items() if sharing > 1 and name not in environment}
    return [{"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)], **shared} for n in range(members)]
