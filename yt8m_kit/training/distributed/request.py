"""The option --devices, checked before a framework is imported."""

from collections.abc import Sequence

from yt8m_kit import backend
from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Member
from yt8m_kit.training.distributed.launch import Launch

ALL = "all"


def requested(devices: str | None, launched: Launch) -> int | None:
    """Return the number of devices that --devices asks for, over all processes; 0 for all of them.

    None: one device, without a mesh. Raises UsageError for another value, for a number that the processes
    cannot share evenly, and for a backend that trains on one device only.
    """
    if devices is None:
        return None
    if devices != ALL and not (devices.isdecimal() and int(devices) >= 1):
        raise UsageError(f"devices must be a whole number, at least 1, or {ALL}; got {devices!r}.")
    if devices != ALL and int(devices) % launched.processes:
        raise UsageError(
            f"devices must be a multiple of the {launched.processes} processes; got {devices}. Each process "
            "takes the same number."
        )
    if devices == "1":
        return None
    if backend.chosen() != "jax":
        raise UsageError(
            f"the backend {backend.chosen()} trains on one device; set KERAS_BACKEND=jax for "
            f"--devices={devices}."
        )
    return 0 if devices == ALL else int(devices)


def check_one(members: Sequence[str], devices: str | None) -> None:
    """Raise UsageError if several members are to be trained, each on several devices."""
    if devices is not None:
        raise UsageError(
            f"--devices={devices} divides one member over devices; got {len(members)} members: "
            f"{', '.join(members)}. Leave it out, as each has a device of its own, or train them with a "
            "command each."
        )


def check_batch(member: Member, name: str, devices: int) -> None:
    """Raise UsageError unless each device gets the same number of videos of a batch."""
    rows = member.batch_size // member.accumulate
    if rows % devices:
        what = f"batch_size / accumulate = {rows}" if member.accumulate > 1 else f"batch_size = {rows}"
        fitting = max(n for n in range(1, devices) if rows % n == 0)
        raise UsageError(
            f"{what} of {name} is not divisible by {devices} devices; take --devices={fitting}, or another "
            "batch_size in the recipe."
        )
