"""Turn and mirror a frame as its file's display matrix says and players do."""

from typing import Any

import numpy as np


def upright(image: np.ndarray, frame: Any) -> np.ndarray:
    """Turn an image (H, W, 3) of an av.VideoFrame by quarters, mirrored or not; angles between are rounded.

    The matrix takes a point (x right, y down) of the coded frame to (a x + c y, b x + d y).
    """
    from av.sidedata.sidedata import Type

    entry = frame.side_data.get(Type.DISPLAYMATRIX)
    if entry is None:
        return image
    a, b, _, c, d = np.frombuffer(bytes(entry), np.int32)[:5]
    if abs(int(b)) > abs(int(a)):
        image, a, d = image.swapaxes(0, 1), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
