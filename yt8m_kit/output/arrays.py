"""Named arrays in an .npz file: damage of any kind is found when they are read.

The CRCs of a zip archive cover contents, but not the names of its entries and not which entries there are. So
the header, an entry like any other, lists the arrays' names, types and shapes.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.errors import KitError
from yt8m_kit.output.files import replacing

_HEADER = "header"


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> None:
    """Write arrays with a header of JSON values atomically."""
    text = json.dumps({**header, "arrays": {name: _entry(array) for name, array in arrays.items()}})
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_HEADER: np.array(text)}, **arrays)


def read_header(path: Path, advice: str) -> dict[str, Any]:
    """The header of a file of write_arrays. Raises KitError, ending with `advice`, for a damaged file."""
    for name, text in read_arrays(path, advice):
        if name == _HEADER:
            return dict(json.loads(str(text)))
    raise KitError(f"{path} is damaged: it has no header. {advice}")


def read_arrays(path: Path, advice: str, *, indexed: bool = False) -> Iterator[tuple[str, NDArray[Any]]]:
    """The names and arrays of an .npz file, one at a time, in its order.

    indexed: without the header, after names, types and shapes were compared with its list. Raises KitError,
    ending with `advice`, for a damaged file.
    """
    header = read_header(path, advice) if indexed else {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = [name for name in archive.files if not (indexed and name == _HEADER)]
            listed = header.get("arrays")
            if listed is not None and names != list(listed):
                raise ValueError("its arrays are not those that its header lists")
            for name in names:
                array = archive[name]
                if listed is not None and _entry(array) != listed[name]:
                    raise ValueError(f"{name} is not as its header lists it")
                yield name, array
    except Exception as error:  # zipfile, zlib and numpy raise a dozen types for damaged archives
        raise KitError(f"{path} is damaged: {_reason(error)}. {advice}") from error


def _entry(array: NDArray[Any]) -> list[Any]:
    return [array.dtype.str, list(array.shape)]


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
