"""What a training run needs to go on exactly where it was, and the weights that are averaged later."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.atomic import replacing
from yt8m_kit.data.order import Position
from yt8m_kit.errors import KitError

Arrays = list[NDArray[Any]]


class State(NamedTuple):
    """All that changes while training: step, place in the data, model and optimiser variables."""

    step: int
    position: Position
    model: Arrays
    optimizer: Arrays


def _write(path: Path, groups: dict[str, Sequence[Any]], header: dict[str, Any]) -> None:
    named = {
        f"{group}/{i:04d}": np.asarray(a) for group, arrays in groups.items() for i, a in enumerate(arrays)
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), allow_pickle=False, **named)


def _group(archive: Any, group: str) -> Arrays:
    return [archive[key] for key in sorted(archive.files) if key.startswith(f"{group}/")]


def save_state(folder: Path, state: State) -> None:
    """Replace the folder's state; the one before it is kept until the new one is whole."""
    path = folder / "state.npz"
    header = {"step": state.step, "position": list(state.position)}
    fresh = folder / "state.next.npz"
    _write(fresh, {"model": state.model, "optimizer": state.optimizer}, header)
    if path.exists():
        path.replace(folder / "state.previous.npz")
    fresh.replace(path)


def load_state(folder: Path) -> State | None:
    """The newest whole state, None where there is none; KitError where all that is there is damaged.

    Every array is read through the archive's checksum, so that a flipped byte is found here.
    """
    damaged = []
    for name in ("state.npz", "state.next.npz", "state.previous.npz"):
        path = folder / name
        if not path.exists():
            continue
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                header = json.loads(str(archive["header"]))
                arrays = _group(archive, "model"), _group(archive, "optimizer")
            return State(header["step"], Position(*header["position"]), *arrays)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            damaged.append(str(path))
    if damaged:
        raise KitError(f"damaged checkpoint {', '.join(damaged)}. Delete {folder} to train from the start.")
    return None


def save_weights(folder: Path, step: int, model: Sequence[Any]) -> None:
    """Keep the model variables of a step for averaging."""
    _write(folder / f"weights-{step:08d}.npz", {"model": model}, {"step": step})


def weights_in(folder: Path, first: int, last: int) -> list[Path]:
    """Files of kept weights with first <= step <= last, by step."""
    found = ((int(path.stem.split("-")[1]), path) for path in folder.glob("weights-*.npz"))
    return [path for step, path in sorted(found) if first <= step <= last]


def read_weights(path: Path) -> Iterator[NDArray[Any]]:
    """The model variables of kept weights one by one; KitError where the file is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for key in sorted(archive.files):
                if key.startswith("model/"):
                    yield archive[key]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise KitError(f"damaged checkpoint {path}: {error}. Delete it to average without it.") from error
