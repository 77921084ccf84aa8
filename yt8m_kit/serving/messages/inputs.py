"""One video's inputs, from what JSON has of them.

Shapes: N frames of the video, D bytes of a frame.
"""

import base64
import binascii
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.dataset import Dataset
from yt8m_kit.output.progress import plural
from yt8m_kit.serving.messages.refusal import RefusalError

KEY = "b64"  # of an object that holds bytes


def record_of(value: Any) -> bytes:
    """Return a serialized SequenceExample, which JSON has as {"b64": text}. Raises RefusalError."""
    return _decoded(value, "serialized")


def frames_of(value: Any, dataset: Dataset) -> NDArray[np.uint8]:
    """Return frames, uint8 (N, D), from N lists of D whole numbers or from {"b64": text} of N * D bytes.

    Raises RefusalError unless N is from 1 to the data set's max_frames, D its width and values are bytes.
    """
    frames_ND = _raw(value, dataset.width) if isinstance(value, dict) else _listed(value, dataset.width)
    if not 1 <= len(frames_ND) <= dataset.max_frames:
        raise RefusalError(400, f"frames must be 1 to {dataset.max_frames}; got {len(frames_ND)}.")
    return frames_ND


def count_of(value: Any, frames: int) -> int:
    """Return num_frames. Raises RefusalError unless it is a whole number from 1 to `frames`, those given."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusalError(400, f"num_frames must be a whole number; got {_shown(value)}.")
    if not 1 <= value <= frames:
        raise RefusalError(400, f"num_frames must be from 1 to the frames given, {frames}; got {value}.")
    return value


def _decoded(value: Any, name: str) -> bytes:
    if not isinstance(value, dict) or value.keys() != {KEY} or not isinstance(value[KEY], str):
        raise RefusalError(400, f'{name} must be {{"{KEY}": text}}; got {_shown(value)}.')
    try:
        return base64.b64decode(value[KEY], validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusalError(400, f"{name} is not Base64: {error}.") from None


def _raw(value: dict[str, Any], width: int) -> NDArray[np.uint8]:
    content = _decoded(value, "frames")
    if len(content) % width:
        raise RefusalError(
            400, f"frames must have {width} bytes each; got {plural(len(content), 'byte')} in all."
        )
    return np.frombuffer(content, np.uint8).reshape(-1, width)


def _listed(value: Any, width: int) -> NDArray[np.uint8]:
    try:
        array = np.array(value)
    except ValueError:
        raise RefusalError(400, f"frames must be lists of {width} numbers; they differ in length.") from None
    if array.ndim != 2 or array.shape[1] != width:
        raise RefusalError(400, f"frames must be (frames, {width}); got the shape {array.shape}.")
    if array.dtype.kind not in "iu":
        raise RefusalError(400, "frames must be whole numbers from 0 to 255, as in records.")
    if array.min() < 0 or array.max() > 255:
        raise RefusalError(400, f"frames must be from 0 to 255; got {array.min()} to {array.max()}.")
    return array.astype(np.uint8)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
