"""The answer to a prediction request, in the format of its body."""

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from yt8m_kit.serving.messages.request import Arrays, Request


def answer(request: Request, outputs: Arrays, names: Mapping[int, str]) -> bytes:
    """Write outputs as JSON: an item a video in "predictions", or a column each in "outputs".

    names: of labels, by class number; where there are some, outputs with labels have "names" as well, null
    for a label without one. An output that is the only one has no key, as in TensorFlow Serving.
    """
    columns = {key: _listed(array) for key, array in outputs.items()}
    if names and "labels" in columns:
        columns["names"] = [[names.get(label) for label in row] for row in columns["labels"]]
    only = next(iter(columns.values())) if len(columns) == 1 else None
    if request.is_columnar:
        content = {"outputs": columns if only is None else only}
    else:
        rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
        content = {"predictions": rows if only is None else only}
    return json.dumps(content, allow_nan=False).encode()


def _listed(array: NDArray[Any]) -> list[Any]:
    if array.dtype == object:
        return [text.decode(errors="backslashreplace") for text in array]
    return array.tolist()  # type: ignore[no-any-return]
