"""The body of a prediction request, in TensorFlow Serving's row format or in its columnar format.

Shapes: B videos, T frames, D bytes of a frame.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import did_you_mean
from yt8m_kit.output.progress import plural
from yt8m_kit.serving.messages.inputs import count_of, frames_of, record_of
from yt8m_kit.serving.messages.refusal import RefusalError

Arrays = dict[str, NDArray[Any]]

_FRAMES = ("frames", "num_frames")
INPUTS = {"serving_default": _FRAMES, "top": _FRAMES, "records": ("serialized",)}  # by signature
_KEYS = {"signature_name", "instances", "inputs"}


class Request(NamedTuple):
    """Videos to predict.

    inputs: frames uint8 (B, T, D), zeros behind the frames given, and num_frames int32 (B,); or serialized,
    bytes (B,). is_columnar: whether the answer has columns instead of rows.
    """

    signature: str
    inputs: Arrays
    videos: int
    is_columnar: bool


def parse(body: bytes, dataset: Dataset, most: int) -> Request:
    """Parse a body of at most `most` videos. Raises RefusalError: 404 for an unknown signature, else 400."""
    content = _content(body)
    signature = content.get("signature_name", "serving_default")
    if not isinstance(signature, str) or signature not in INPUTS:
        close = did_you_mean(signature, INPUTS)
        raise RefusalError(404, f"no signature {signature!r}; there are {', '.join(INPUTS)}.{close}")
    is_columnar, names = "inputs" in content, INPUTS[signature]
    columns = _columns(content["inputs"], names) if is_columnar else _rows(content["instances"], names)
    videos = len(columns[names[0]])
    if not 1 <= videos <= most:
        raise RefusalError(400, f"a request must have 1 to {plural(most, 'video')}; got {videos}.")
    arrays = _records(columns) if names == ("serialized",) else _frames(columns, dataset)
    return Request(signature, arrays, videos, is_columnar)


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, f"the body is not JSON: {error}.") from None
    if not isinstance(content, dict) or ("instances" in content) == ("inputs" in content):
        raise RefusalError(400, 'the body must be an object with either "instances" or "inputs".')
    if unknown := content.keys() - _KEYS:
        raise RefusalError(
            400, f"the body has no key {min(unknown)!r}; there are {', '.join(sorted(_KEYS))}."
        )
    return content


def _rows(instances: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    """Row format: an object a video, or the value itself where there is one input."""
    if not isinstance(instances, list):
        raise RefusalError(400, '"instances" must be a list, with an item for each video.')
    named = [_named(number, each, names) for number, each in enumerate(instances)]
    return {name: [each[name] for each in named] for name in names}


def _named(number: int, instance: Any, names: Sequence[str]) -> dict[str, Any]:
    if len(names) == 1 and not (isinstance(instance, dict) and names[0] in instance):
        return {names[0]: instance}
    if not isinstance(instance, dict) or instance.keys() != set(names):
        got = ", ".join(instance) or "none" if isinstance(instance, dict) else type(instance).__name__
        raise RefusalError(400, f"video {number} must have the inputs {' and '.join(names)}; got {got}.")
    return instance


def _columns(inputs: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    """Columnar format: a list an input, or the list itself where there is one input."""
    given = {names[0]: inputs} if len(names) == 1 and isinstance(inputs, list) else inputs
    if not isinstance(given, dict) or given.keys() != set(names):
        got = ", ".join(given) or "none" if isinstance(given, dict) else type(given).__name__
        raise RefusalError(400, f'"inputs" must have {" and ".join(names)}; got {got}.')
    if not all(isinstance(column, list) for column in given.values()):
        raise RefusalError(400, f"{' and '.join(names)} must be lists, with an item for each video.")
    if len({len(column) for column in given.values()}) > 1:
        sizes = " and ".join(f"{len(given[name])} {name}" for name in names)
        raise RefusalError(400, f"inputs must have the same number of videos; got {sizes}.")
    return given


def _records(columns: dict[str, list[Any]]) -> Arrays:
    found = _each(record_of, columns["serialized"])
    array = np.empty(len(found), object)  # an array of bytes would lose zeros at their ends
    array[:] = found
    return {"serialized": array}


def _frames(columns: dict[str, list[Any]], dataset: Dataset) -> Arrays:
    given = _each(lambda value: frames_of(value, dataset), columns["frames"])
    pairs = list(zip(columns["num_frames"], map(len, given)))
    frames_BTD = np.zeros((len(given), dataset.max_frames, dataset.width), np.uint8)
    for row_TD, video_ND in zip(frames_BTD, given):
        row_TD[: len(video_ND)] = video_ND
    counts = _each(lambda pair: count_of(*pair), pairs)
    return {"frames": frames_BTD, "num_frames": np.array(counts, np.int32)}


def _each(read: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    """Read the values of all videos; a refusal names the video, counted from 0."""
    found = []
    for number, value in enumerate(values):
        try:
            found.append(read(value))
        except RefusalError as error:
            raise RefusalError(error.status, f"video {number}: {error}") from None
    return found
