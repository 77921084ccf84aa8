"""The .tflite file: model, metadata and labels."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from yt8m_kit.codecs.formats import LARGE
from yt8m_kit.dataset import Dataset
from yt8m_kit.export.blended_graph import Part
from yt8m_kit.export.litert import metadata
from yt8m_kit.export.litert.conversion import OUTPUT, SHAPE, WEIGHT, converted
from yt8m_kit.export.litert.editing import Editor, Op, fill_zeros
from yt8m_kit.export.litert.weights import embed

IDENTIFIER = b"TFL3"
SIGNATURE = "serving_default"


def write_litert(
    dataset: Dataset,
    parts: Sequence[Part],
    rounds: int,
    name: str,
    labels: Sequence[str],
    path: Path,
    bits: int = 8,
) -> None:
    """Write the blend to a .tflite file. name: of the blend; labels: of the classes, in order.

    bits: of a large weight, 8 or 4.

    Inputs and output are those of `converted`, under their names and in the signature serving_default.
    Raises KitError if an operation is not built in.
    """
    model, weights = converted(dataset, parts, rounds)
    _feed_shapes(model)
    embed(model, weights, WEIGHT, bits)
    fill_zeros(model, LARGE)  # the state before a loop over frames
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


def _feed_shapes(model: Any) -> None:
    """Compute the inputs for shapes from the inputs whose shapes they are."""
    editor, graph = Editor(model), model.subgraphs[0]
    inputs = {graph.tensors[index].name.decode(): int(index) for index in graph.inputs}
    for name, index in inputs.items():
        if name.startswith(SHAPE):
            operation = editor.operator(Op.SHAPE, [inputs[name.removeprefix(SHAPE)]], index)
            operation.builtinOptionsType = schema.BuiltinOptions.ShapeOptions
            operation.builtinOptions = schema.ShapeOptionsT(outType=schema.TensorType.INT32)
            graph.operators.insert(0, operation)
    graph.inputs = [index for name, index in inputs.items() if not name.startswith(SHAPE)]


def _signature(graph: Any) -> Any:
    inputs = [_named(graph.tensors[index].name.decode(), index) for index in graph.inputs]
    [output] = graph.outputs
    graph.tensors[output].name = OUTPUT
    return schema.SignatureDefT(
        inputs=inputs, outputs=[_named(OUTPUT, output)], signatureKey=SIGNATURE, subgraphIndex=0
    )


def _named(name: str, index: int) -> Any:
    return schema.TensorMapT(name=name, tensorIndex=int(index))
