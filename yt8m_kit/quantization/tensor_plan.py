"""Plan of an exported graph: the format of each tensor, and codes chosen by calibration."""

from collections.abc import Mapping, Sequence

import numpy as np

from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.errors import KitError
from yt8m_kit.output.arrays import read_arrays
from yt8m_kit.output.files import replacing
from yt8m_kit.quantization.sizes import StoredTensor, stored, with_format
from yt8m_kit.recipe import Ensemble, Recipe
from yt8m_kit.run import Run


def planned(recipe: Recipe, blend: Ensemble, members: Sequence[str], run: Run) -> list[StoredTensor]:
    """List every tensor in its exported format. Raises UsageError if `yt8m quantize` has yet to run."""
    tensors = stored(recipe, members, blend.codec)
    if not blend.is_measured:
        return tensors
    formats = run.read(run.need(run.plan, "quantize"))["forms"]
    return [with_format(tensor, formats[tensor.member][tensor.path]) for tensor in tensors]


def save_codes(run: Run, member: str, encoded: Mapping[str, Encoded]) -> None:
    """Save a member's codes by path, as one .npz."""
    arrays = {
        f"{path}|{each.format}|{k}": a for path, each in encoded.items() for k, a in each.arrays.items()
    }
    with replacing(run.codes(member)) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load_codes(run: Run, tensors: Sequence[StoredTensor]) -> dict[str, Encoded]:
    """Load the calibrated codes of an ensemble's member by path; empty if none were saved.

    tensors: those of the member. Raises KitError for codes in other formats than the plan's.
    """
    path = run.codes(tensors[0].member)
    if not path.exists():
        return {}
    arrays: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for name, array in read_arrays(path, "Quantize again with --anew."):
        tensor, format, key = name.split("|")
        arrays.setdefault((tensor, format), {})[key] = array
    if set(arrays) != {(t.path, t.format) for t in tensors if t.format != "float32"}:
        raise KitError(f"{path} has other formats than {run.plan}; quantize again with --anew.")
    return {
        t.path: Encoded(t.format, t.shape, arrays[t.path, t.format]) for t in tensors if t.format != "float32"
    }
