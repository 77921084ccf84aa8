"""Archive of the 2018 starter code: the blend for its inference.py --input_model_tgz.

A flat gzipped tar of a TensorFlow 1 MetaGraph, its checkpoint and model_flags.json. The starter imports the
graph next to its own reader, restores the global variables, initialises the local ones, feeds
`input_batch_raw` and `num_frames` and fetches `predictions`. So codes are global variables and float weights
local ones: the unmodified script decodes them once, on initialisation. It feeds 300 frames of any data set:
the graph takes any number, and cuts or pads to the data set's.

Shapes: B videos, T frames, D bytes of a frame, C classes.
"""

import dataclasses
import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.dataset import DEQUANTIZE_OFFSET, DEQUANTIZE_SCALE, Dataset
from yt8m_kit.export.blended_graph import Part, mixed
from yt8m_kit.export.input_checks import checked, checked_floats

v1 = tf.compat.v1
PREFIX = "inference_model"
COLLECTIONS = ("input_batch_raw", "num_frames", "predictions")


def write_members(dataset: Dataset, parts: list[Part], rounds: int, folder: Path) -> None:
    """Write the archive's files to the folder: graph, checkpoint and flags."""
    graph, codes = _graph_of(dataset, parts, rounds)
    with graph.as_default():
        saver = v1.train.Saver(v1.global_variables())
        v1.train.export_meta_graph(
            str(folder / f"{PREFIX}.meta"),
            saver_def=saver.as_saver_def(),
            collection_list=[*COLLECTIONS, v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.LOCAL_VARIABLES],
            clear_devices=True,
            strip_default_attrs=True,
        )
    # No session: the codes go from numpy to the file.
    tf.raw_ops.SaveV2(
        prefix=str(folder / PREFIX),
        tensor_names=list(codes),
        shape_and_slices=[""] * len(codes),
        tensors=list(codes.values()),
    )
    flags = {
        "model": "Ensemble",
        "feature_sizes": ",".join(str(width) for _, width in dataset.features),
        "feature_names": ",".join(name for name, _ in dataset.features),
        "frame_features": True,
        "label_loss": "CrossEntropyLoss",
    }
    (folder / "model_flags.json").write_text(json.dumps(flags), encoding="utf-8")


def pack(folder: Path, path: Path) -> None:
    """Pack the files of a folder into a flat archive, sorted by name; deterministic."""
    with path.open("wb") as file:
        # Codes hardly compress at any level.
        zipped = gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0)
        with zipped, tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for member in sorted(folder.iterdir()):
                about = tarfile.TarInfo(member.name)
                about.size = member.stat().st_size
                with member.open("rb") as content:
                    archive.addfile(about, content)


def _graph_of(dataset: Dataset, parts: list[Part], rounds: int) -> tuple[tf.Graph, dict[str, NDArray[Any]]]:
    """Build the graph with its collections; return it and the values of its global variables by name."""
    graph = tf.Graph()
    codes: dict[str, NDArray[Any]] = {}
    # Own name scope: input/ is taken by the starter's reader.
    with graph.as_default(), tf.name_scope("ensemble"):
        raw = v1.placeholder(tf.float32, (None, None, dataset.width), COLLECTIONS[0])
        num_frames = v1.placeholder(tf.int32, (None,), COLLECTIONS[1])
        values = []
        for number, part in enumerate(parts):
            names = [f"member_{number}/{variable.path}" for variable, _ in part.weights]
            stored = [(each, part.dtype(each)) for _, each in part.weights]
            values.append([_weight(name, *each, codes) for name, each in zip(names, stored)])
        frames, counts = checked(checked_floats(raw), num_frames)
        inputs = {"frames": _resized(_bytes(frames), dataset.max_frames), "num_frames": counts}
        predictions = mixed(parts, values, inputs, rounds)
        for name, tensor in zip(COLLECTIONS, (raw, num_frames, tf.identity(predictions, COLLECTIONS[2]))):
            graph.add_to_collection(name, tensor)
    return graph, codes


def _bytes(raw_BTD: tf.Tensor) -> tf.Tensor:
    """Undo the reader's dequantization; padding (0.0) becomes bytes that num_frames masks."""
    steps = tf.round((raw_BTD - DEQUANTIZE_OFFSET) / DEQUANTIZE_SCALE)
    return tf.cast(tf.clip_by_value(steps, 0.0, 255.0), tf.uint8)


def _resized(frames_BND: tf.Tensor, length: int) -> tf.Tensor:
    """Cut frames to the first T, or pad them with zeros: (B, N, D) -> (B, T, D); T: length."""
    cut = frames_BND[:, :length]
    padded = tf.pad(cut, [[0, 0], [0, length - tf.shape(cut)[1]], [0, 0]])
    return tf.ensure_shape(padded, (None, length, frames_BND.shape[2]))


def _weight(name: str, encoded: Encoded, dtype: str, codes: dict[str, NDArray[Any]]) -> tf.Tensor:
    """Create a weight of the dtype; adds the values of its codes to `codes` by variable name."""
    arrays = {}
    for key, array in encoded.arrays.items():
        zeros = tf.zeros(array.shape, tf.as_dtype(array.dtype))
        variable = v1.Variable(zeros, trainable=False, use_resource=True, name=f"{name}/{key}")
        codes[variable.op.name] = array
        arrays[key] = variable.read_value()
    if encoded.format == dtype:
        return arrays["codes"]
    local = v1.Variable(
        tf.cast(decode(dataclasses.replace(encoded, arrays=arrays)), dtype),
        trainable=False,
        use_resource=True,
        collections=[v1.GraphKeys.LOCAL_VARIABLES],
        name=f"{name}/decoded",
    )
    return tf.ensure_shape(local.read_value(), encoded.shape)
