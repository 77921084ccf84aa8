"""Networks in ONNX files, run by onnxruntime: SE-ResNeXt101 and others."""

from pathlib import Path

import numpy as np

from yt8m_kit.errors import UsageError

# Of ImageNet's pixels in [0, 1], red, green and blue.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class OnnxFile:
    """A network whose first input takes images and whose first output is a vector of each.

    An input of bytes gets pixels as they are, one of floats pixels in [0, 1] less ImageNet's mean, divided by
    its standard deviation. Channels may come first or last. size: side of an image where the file has
    none. Raises UsageError for a file that cannot be run or has another input.
    """

    def __init__(self, path: Path, size: int):
        import onnxruntime

        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # of onnxruntime's own types
            raise UsageError(f"{path} cannot be run by onnxruntime: {error}.") from error
        first = self._session.get_inputs()[0]
        if len(first.shape) != 4 or 3 not in (first.shape[1], first.shape[3]):
            raise UsageError(f"{path}: its input must be (B, 3, H, W) or (B, H, W, 3); got {first.shape}.")
        self._input, self._is_first = first.name, first.shape[1] == 3
        self._takes_bytes = first.type == "tensor(uint8)"
        self._one = first.shape[0] == 1
        fixed = first.shape[2]
        self.size = fixed if isinstance(fixed, int) else size
        self.width = self(np.zeros((1, self.size, self.size, 3), np.uint8)).shape[1]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute float32 (n, width) of uint8 (n, size, size, 3)."""
        pixels = images if self._takes_bytes else (images / np.float32(255) - _MEAN) / _DEVIATION
        if self._is_first:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        parts = np.split(pixels, len(pixels)) if self._one else [pixels]
        found = [self._session.run(None, {self._input: part})[0] for part in parts]
        return np.concatenate(found).reshape(len(images), -1).astype(np.float32)
