"""TFLite metadata of a model: what its inputs and its output are, and the name of its labels' file.

Field numbers are those of metadata_schema.fbs (identifier M001) of TensorFlow Lite's support library; the
file of labels follows the model, in a zip archive at the end of the same file.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flatbuffers

from yt8m_kit.dataset import Dataset

NAME, IDENTIFIER, PARSER = "TFLITE_METADATA", b"M001", "1.0.0"
LABELS = "labels.txt"
AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS


class Described(NamedTuple):
    """A tensor of the model: its name, what it holds, and whether labels name its last axis."""

    name: str
    text: str
    is_labelled: bool = False


def descriptions(dataset: Dataset) -> tuple[list[Described], list[Described]]:
    """Describe inputs and outputs."""
    features = ", ".join(f"{name} ({width})" for name, width in dataset.features)
    frames = (
        f"Bytes of the frames of one video, uint8 (1, {dataset.max_frames}, {dataset.width}), as quantized "
        f"in the records; features in this order: {features}. Frames beyond num_frames are ignored."
    )
    counts = f"Number of frames, int32 (1,), from 1 to {dataset.max_frames}."
    output = (
        f"Probability of each label, float32 (1, {dataset.classes}), in the order of {LABELS}; not a number "
        "if num_frames is out of its range."
    )
    return (
        [Described("frames", frames), Described("num_frames", counts)],
        [Described("probabilities", output, True)],
    )


def metadata(dataset: Dataset, name: str) -> bytes:
    """Serialize the metadata of a model."""
    builder = flatbuffers.Builder(4096)
    tensors = [
        _vector(builder, [_tensor(builder, each) for each in group]) for group in descriptions(dataset)
    ]
    graph = _table(builder, 7, {2: tensors[0], 3: tensors[1]})
    text = f"Video labels of {dataset.name} from frame features, by yt8m-kit."
    graphs = _vector(builder, [graph])
    fields = {0: builder.CreateString(name), 1: builder.CreateString(text), 3: graphs}
    builder.Finish(_table(builder, 8, fields | {7: builder.CreateString(PARSER)}), IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, described: Described) -> int:
    fields = {0: builder.CreateString(described.name), 1: builder.CreateString(described.text)}
    if described.is_labelled:
        name = builder.CreateString(LABELS)
        builder.StartObject(5)
        builder.PrependUOffsetTRelativeSlot(0, name, 0)
        builder.PrependInt8Slot(2, AXIS_LABELS, 0)
        fields[6] = _vector(builder, [builder.EndObject()])
    return _table(builder, 7, fields)


def _table(builder: flatbuffers.Builder, size: int, fields: dict[int, int]) -> int:
    """Write a table whose fields are strings, vectors or tables, by field number."""
    builder.StartObject(size)
    for number, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
