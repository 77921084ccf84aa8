"""Full state for exact resume; weights kept for averaging."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.order import Position
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.arrays import read_arrays, read_header, write_arrays

Arrays = list[NDArray[Any]]


class State(NamedTuple):
    """The full state of a training run.

    step: steps done. position: position in the data; of several devices a tuple, one for each. model,
    optimizer: their variables. shadows: float64 moving averages of the model's variables, or an empty list.
    notes: JSON values of the training stage.
    """

    step: int
    position: Position | tuple[Position, ...]
    model: Arrays
    optimizer: Arrays
    shadows: Arrays
    notes: dict[str, Any]


def _write(path: Path, groups: Mapping[str, Sequence[Any]], header: dict[str, Any]) -> None:
    named = {
        f"{group}/{i:04d}": np.asarray(a) for group, arrays in groups.items() for i, a in enumerate(arrays)
    }
    write_arrays(path, named, header)


def save_state(folder: Path, state: State) -> None:
    """Replace the folder's state atomically; the previous one is kept as a fallback."""
    path = folder / "state.npz"
    header = {"step": state.step, "position": list(state.position), "notes": state.notes}
    fresh = folder / "state.next.npz"
    groups = {"model": state.model, "optimizer": state.optimizer, "shadows": state.shadows}
    _write(fresh, groups, header)
    if path.exists():
        path.replace(folder / "state.previous.npz")
    fresh.replace(path)


def bytes_to_come(folder: Path, state: int, weights: int, *, saves: int, kept: int) -> int:
    """Least bytes that a stage of training has still to write at a time, its final weights included.

    state, weights: bytes of a state and of kept weights. saves: checkpoints left. kept: those of them whose
    weights are kept. A state is written before the older of two is replaced.
    """
    existing = sum((folder / name).exists() for name in ("state.npz", "state.previous.npz"))
    states = min(saves, 3 - existing)
    return kept * weights + max(states * state, min(saves, 2 - existing) * state + weights)


def load_state(folder: Path) -> State | None:
    """Load the newest intact state; None if there is no checkpoint. Raises KitError if all are damaged.

    Contents are checked against the archive's CRCs, and the arrays against the list in its header.
    """
    damaged = []
    for name in ("state.npz", "state.next.npz", "state.previous.npz"):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = _read_state(path)
        except KitError as error:
            damaged.append(str(path))
            progress.say(str(error))
        else:
            return state
    if damaged:
        raise KitError(f"damaged checkpoint {', '.join(damaged)}. Delete {folder} to train from the start.")
    return None


def _read_state(path: Path) -> State:
    advice = "An older checkpoint is used if there is one."
    header = read_header(path, advice)
    groups: dict[str, Arrays] = {"model": [], "optimizer": [], "shadows": []}
    for name, array in sorted(read_arrays(path, advice, indexed=True), key=lambda found: found[0]):
        groups[name.partition("/")[0]].append(array)
    try:
        return State(header["step"], _position(header["position"]), **groups, notes=header["notes"])
    except (KeyError, TypeError) as error:
        raise KitError(f"{path} is damaged: {error}. {advice}") from None


def _position(found: list[Any]) -> Position | tuple[Position, ...]:
    if all(isinstance(each, list) for each in found):
        return tuple(Position(*each) for each in found)
    return Position(*found)


def check_devices(folder: Path, state: State, devices: int) -> None:
    """Raise UsageError if a state was written by a training on another number of devices."""
    before = 1 if isinstance(state.position, Position) else len(state.position)
    if before != devices:
        raise UsageError(
            f"{folder} was trained on {progress.plural(before, 'device')}, not {devices}, and resumes on the "
            f"same number only: take --devices={before}, or start over with --anew."
        )


def save_weights(folder: Path, name: str, model: Sequence[Any]) -> None:
    """Save the model's variables as weights-NAME.npz; NAME is the step for weights to be averaged."""
    _write(folder / f"weights-{name}.npz", {"model": model}, {})


def step_of(path: Path) -> int:
    """The step at which a weights file was saved."""
    return int(path.stem.removeprefix("weights-"))


def weights_in(folder: Path, first: int, last: int) -> list[Path]:
    """Weights files with first <= step <= last, ordered by step."""
    found = sorted(folder.glob("weights-[0-9]*.npz"), key=step_of)
    return [path for path in found if first <= step_of(path) <= last]


def read_weights(path: Path) -> Iterator[NDArray[Any]]:
    """The model variables of kept weights one by one, in order; KitError where the file is damaged."""
    for _, array in read_arrays(path, "Delete it to average without it.", indexed=True):
        yield array
