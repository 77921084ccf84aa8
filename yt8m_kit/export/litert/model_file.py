"""The .tflite file: model, metadata and labels."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from yt8m_kit.dataset import Dataset
from yt8m_kit.export.blended_graph import Part
from yt8m_kit.export.litert import metadata
from yt8m_kit.export.litert.conversion import OUTPUT, WEIGHT, converted
from yt8m_kit.export.litert.weights import embed

IDENTIFIER = b"TFL3"
SIGNATURE = "serving_default"


def write_litert(
    dataset: Dataset, parts: Sequence[Part], rounds: int, name: str, labels: Sequence[str], path: Path
) -> None:
    """Write the blend to a .tflite file. name: of the blend; labels: of the classes, in order.

    Inputs and output are those of `converted`, under their names and in the signature serving_default.
    Raises KitError if an operation is not built in.
    """
    model, weights = converted(dataset, parts, rounds)
    embed(model, weights, WEIGHT)
    model.signatureDefs = [_signature(model.subgraphs[0])]
    content = np.frombuffer(metadata.metadata(dataset, name), np.uint8)
    model.buffers.append(schema.BufferT(data=content))
    about = schema.MetadataT(name=metadata.NAME, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), about]
    model.description = name
    builder = flatbuffers.Builder(2**20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    path.write_bytes(memoryview(builder.Bytes)[builder.Head() :])
    with zipfile.ZipFile(path, "a") as archive:  # as the metadata's specification places its files
        archive.writestr(zipfile.ZipInfo(metadata.LABELS), "".join(f"{label}\n" for label in labels))


def _signature(graph: Any) -> Any:
    inputs = [_named(graph.tensors[index].name.decode(), index) for index in graph.inputs]
    [output] = graph.outputs
    graph.tensors[output].name = OUTPUT
    return schema.SignatureDefT(
        inputs=inputs, outputs=[_named(OUTPUT, output)], signatureKey=SIGNATURE, subgraphIndex=0
    )


def _named(name: str, index: int) -> Any:
    return schema.TensorMapT(name=name, tensorIndex=int(index))
