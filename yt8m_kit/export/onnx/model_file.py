"""The .onnx file: model, weights and labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.export.blended_graph import Part
from yt8m_kit.export.onnx.conversion import WEIGHT, converted

MOST = 2_100_000_000  # bytes of weights: a message in Protocol Buffers has less than 2 GiB


def write_onnx(
    dataset: Dataset, parts: Sequence[Part], rounds: int, name: str, labels: Sequence[str], path: Path
) -> None:
    """Write the blend to a .onnx file. name: of the blend; labels: of the classes, in order.

    Inputs and output are those of `converted` without the weights, which are in the file as codes; labels are
    the property `labels` of the model, one a line. Raises KitError for weights of over 2.1 GB, and if an
    operation cannot be converted.
    """
    model, arrays = converted(dataset, parts, rounds)
    if (size := sum(array.nbytes for array in arrays.values())) > MOST:
        raise KitError(
            f"ensemble {name} has weights of {size:,} bytes in ONNX, whose files have at most {MOST:,}; "
            "nothing was written. Leave members out, or take a codec of 8 bits."
        )
    _embed(model.graph, {given: numpy_helper.from_array(array, given) for given, array in arrays.items()})
    model.graph.name = name
    onnx.helper.set_model_props(model, {"labels": "\n".join(labels)})
    path.write_bytes(model.SerializeToString())


def _embed(graph: Any, tensors: dict[str, Any]) -> None:
    """Make the inputs of weights constants."""
    given = [each for each in graph.input if each.name.startswith(WEIGHT)]
    graph.initializer.extend(tensors[each.name] for each in given)
    kept = [each for each in graph.input if not each.name.startswith(WEIGHT)]
    del graph.input[:]
    graph.input.extend(kept)
