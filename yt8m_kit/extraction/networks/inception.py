"""The Inception graph of 2015 and the PCA that YouTube-8M's visual features were made with.

Abu-El-Haija et al., "YouTube-8M: A Large-Scale Video Classification Benchmark" (2016), section 3.3, and the
published feature extractor: the frozen graph classify_image_graph_def.pb takes a frame of any size, and its
last pooling layer goes through PCA and whitening.
"""

import io
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from yt8m_kit.errors import UsageError

_INPUT, _OUTPUT = "DecodeJpeg:0", "pool_3/_reshape:0"
_KEPT = 1024  # dimensions after PCA
_OFFSET = 1e-4  # added to the eigenvalues


class Pca:
    """PCA with whitening of the published archive: (x - mean) E / sqrt(eigenvalues + 1e-4), 1024 values.

    path: yt8m_pca.tgz, as `yt8m download pca` writes it. Raises UsageError if it cannot be read.
    """

    def __init__(self, path: Path):
        try:
            arrays = _arrays(path)
            self._mean = arrays["mean.npy"].reshape(-1)
            self._vectors = arrays["eigenvecs.npy"].T[:, :_KEPT]
            self._divisor = np.sqrt(arrays["eigenvals.npy"].reshape(-1)[:_KEPT] + _OFFSET)
        except (OSError, EOFError, ValueError, KeyError, tarfile.TarError, zlib.error) as error:
            raise UsageError(
                f"--pca must be yt8m_pca.tgz of `yt8m download pca`; got {path}: {error}."
            ) from None
        self.inputs, self.width = self._vectors.shape

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Transform float (n, inputs) to float32 (n, width)."""
        whitened = (features - self._mean) @ self._vectors / self._divisor
        return np.asarray(whitened, np.float32)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with tarfile.open(path) as archive:
        files = {Path(each.name).name: archive.extractfile(each) for each in archive if each.isfile()}
        return {
            name: np.load(io.BytesIO(file.read()), allow_pickle=False)
            for name, file in files.items()
            if file and name.endswith(".npy")
        }


class Inception:
    """The frozen graph followed by the PCA. Raises UsageError for a file that is no such graph."""

    size = None  # the graph resizes a frame itself

    def __init__(self, graph: Path, pca: Path):
        import tensorflow as tf

        self._pca = Pca(pca)
        self.width = self._pca.width
        try:
            definition = tf.compat.v1.GraphDef.FromString(graph.read_bytes())
            wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
            tensors = [wrapped.graph.get_tensor_by_name(name) for name in (_INPUT, _OUTPUT)]
            self._run: Any = wrapped.prune(*tensors)
        except Exception as error:  # of TensorFlow's own types
            raise UsageError(
                f"{graph} is no frozen graph with the tensors {_INPUT} and {_OUTPUT}: take "
                "classify_image_graph_def.pb."
            ) from error

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute float32 (n, width) of uint8 (n, height, width, 3), one by one, as the graph takes them."""
        import tensorflow as tf

        found = [np.asarray(self._run(tf.constant(image))).reshape(-1) for image in images]
        if len(found[0]) != self._pca.inputs:
            raise UsageError(f"the graph gives {len(found[0])} values, and the PCA takes {self._pca.inputs}.")
        return self._pca(np.stack(found))
