"""Full state for exact resume; weights kept for averaging."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.order import Position
from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.output.arrays import read_arrays, read_header, write_arrays

Arrays = list[NDArray[Any]]


class State(NamedTuple):
    """Everything that changes in training.

    Step, place in the data, model and optimiser variables; running averages of the model's variables
    where there are any; notes: JSON values that the stage wants to find again.
    """

    step: int
    position: Position
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
    """Replace the folder's state; the previous one is kept until the new one is complete."""
    path = folder / "state.npz"
    header = {"step": state.step, "position": list(state.position), "notes": state.notes}
    fresh = folder / "state.next.npz"
    groups = {"model": state.model, "optimizer": state.optimizer, "shadows": state.shadows}
    _write(fresh, groups, header)
    if path.exists():
        path.replace(folder / "state.previous.npz")
    fresh.replace(path)


def load_state(folder: Path) -> State | None:
    """The newest intact state, None if there is none. Raises KitError if every one is damaged.

    Contents are compared with the archive's CRCs, and its arrays with the list in its header.
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
    advice = "An older checkpoint is used where there is one."
    header = read_header(path, advice)
    groups: dict[str, Arrays] = {"model": [], "optimizer": [], "shadows": []}
    for name, array in sorted(read_arrays(path, advice, indexed=True), key=lambda found: found[0]):
        groups[name.partition("/")[0]].append(array)
    try:
        return State(header["step"], Position(*header["position"]), **groups, notes=header["notes"])
    except (KeyError, TypeError) as error:
        raise KitError(f"{path} is damaged: {error}. {advice}") from None


def save_weights(folder: Path, name: str, model: Sequence[Any]) -> None:
    """Save the model variables as weights-NAME.npz; those to be averaged are named by their step."""
    _write(folder / f"weights-{name}.npz", {"model": model}, {})


def step_of(path: Path) -> int:
    """The step of kept weights."""
    return int(path.stem.removeprefix("weights-"))


def weights_in(folder: Path, first: int, last: int) -> list[Path]:
    """Files of kept weights with first <= step <= last, by step."""
    found = sorted(folder.glob("weights-[0-9]*.npz"), key=step_of)
    return [path for path in found if first <= step_of(path) <= last]


def read_weights(path: Path) -> Iterator[NDArray[Any]]:
    """The model variables of kept weights one by one, in order; KitError where the file is damaged."""
    for _, array in read_arrays(path, "Delete it to average without it.", indexed=True):
        yield array
