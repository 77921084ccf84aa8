"""LiteRT models of every family: agreement with the float model, operations, bad inputs."""

from contextlib import suppress

import keras
import numpy as np
import pytest

from tests.support.families import ROWS, settled
from yt8m_kit import models
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import AUDIOSET, Dataset
from yt8m_kit.export.export import encoded
from yt8m_kit.export.litert.model_file import write_litert
from yt8m_kit.layers.inputs.sampling import average_rounds
from yt8m_kit.metrics import gap_at_20, top

WIDE = Dataset("wide", (("rgb", 288), ("audio", 96)), classes=50, max_frames=12)
# Large enough for each family to have kernels that become codes.
SIZES = {"clusters": 64, "hidden": 96, "units": 96, "width": 64, "bidirectional": 96}
# Loops, products of each kind, convolutions; all others in the long tests.
TESTED = ["frame_logistic", "gru-bidirectional", "hg_nl", "netvlad-early", "nextvlad", "stnet-residual"]
OTHERS = [row for row in ROWS if row not in TESTED]
COUNTS = np.array([12, 1, 7, 11], np.int32)
# Of four videos alone, what videos change is not known well enough to be compared with.
COMPARED = np.tile(COUNTS, 4)


def sized(row):
    family, settings = ROWS[row]
    return family, settings | {key: size for key, size in SIZES.items() if settings.get(key)}


def part_of(model, family, dataset, settings, share=1.0):
    formats = {variable.path: "float32" for variable in model.variables}
    return encoded(model, models.outline(family, dataset, **settings), share, formats, {})


def random_videos(dataset, counts):
    shape = (len(counts), dataset.max_frames, dataset.width)
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return {"frames": frames, "num_frames": counts}


def predictions(run, inputs):
    return np.concatenate(
        [
            run(frames=frames[None], num_frames=counts[None])["probabilities"]
            for frames, counts in zip(inputs["frames"], inputs["num_frames"])
        ]
    )


def check_family(interpreter, row, path):
    family, settings = sized(row)
    inputs = random_videos(WIDE, COMPARED)
    model = settled(models.build(family, WIDE, **settings), inputs)
    write_litert(WIDE, [part_of(model, family, WIDE, settings)], 2, row, ["label"] * WIDE.classes, path)
    loaded = interpreter(model_path=str(path), num_threads=1)
    types = {detail["dtype"] for detail in loaded.get_tensor_details()}
    assert np.int8 in types, "no weight became codes"
    run = loaded.get_signature_runner()
    expected = np.asarray(average_rounds(model, inputs, 2))
    found = predictions(run, inputs)
    error = np.sqrt(np.mean(np.square(found - expected)))
    assert error < 0.1 * expected.std(axis=0).mean(), "codes change more than a tenth of what videos do"
    check_bad_inputs(run, inputs["frames"][:1])


def check_bad_inputs(run, frames):
    """An error, or no number; never probabilities."""
    for count in (0, -1, WIDE.max_frames + 1):
        found = run(frames=frames, num_frames=np.array([count], np.int32))
        assert np.isnan(found["probabilities"]).all()
    shapes = ((1, 11, 384), (1, 1, 384), (1, 13, 384), (1, 384, 12), (1, 12, 383), (2, 12, 384), (0, 12, 384))
    fed = [(np.zeros(shape, np.uint8), COUNTS[:1]) for shape in shapes]
    for wrong, counts in [*fed, (frames[0], COUNTS[:1]), (frames, COUNTS[:2]), (frames, COUNTS[:0])]:
        with suppress(ValueError, RuntimeError):
            found = run(frames=wrong, num_frames=counts)["probabilities"]
            assert np.isnan(found).all(), f"{wrong.shape} {counts.shape} predict"
    with pytest.raises(ValueError, match="Got value of type FLOAT32 but expected type UINT8"):
        run(frames=frames.astype(np.float32), num_frames=COUNTS[:1])


@pytest.mark.parametrize("row", TESTED)
def test_family(interpreter, row, tmp_path):
    check_family(interpreter, row, tmp_path / "graph.tflite")


@pytest.mark.long
@pytest.mark.parametrize("row", OTHERS)
def test_variant(interpreter, row, tmp_path):
    check_family(interpreter, row, tmp_path / "graph.tflite")


def test_frames_after_num_frames_are_ignored(interpreter, tmp_path):
    family, settings = sized("netvlad-masked")
    inputs = random_videos(WIDE, COUNTS)
    model = settled(models.build(family, WIDE, **settings), inputs)
    write_litert(WIDE, [part_of(model, family, WIDE, settings)], 1, "m", ["x"], tmp_path / "m.tflite")
    run = interpreter(model_path=str(tmp_path / "m.tflite")).get_signature_runner()
    filled = inputs["frames"].copy()
    filled[np.arange(WIDE.max_frames) >= COUNTS[:, None]] = 255
    np.testing.assert_allclose(
        predictions(run, inputs | {"frames": filled}), predictions(run, inputs), atol=1e-3
    )


def trained(real_data, row, steps=40):
    """A member of half a blend, after some steps on real records."""
    family, settings = sized(row)
    model = models.build(family, AUDIOSET, **settings)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    paths = splits.find(real_data / "audioset", "train")
    for _, batch in zip(range(steps), read_batches(paths, AUDIOSET, 128, epochs=None)):
        model.train_on_batch({"frames": batch.frames, "num_frames": batch.num_frames}, batch.labels)
    return model, part_of(model, family, AUDIOSET, settings, 0.5)


def test_a_process_without_the_kit_agrees_on_real_records(real_data, on_phone, tmp_path):
    """200 clips of AudioSet, a blend of two members: order of the best labels, and GAP@20."""
    (vlad, *first), (recurrent, *second) = (trained(real_data, row) for row in ("netvlad", "gru"))
    names = [f"label {number}" for number in range(AUDIOSET.classes)]
    path = tmp_path / "graph.tflite"
    write_litert(AUDIOSET, [*first, *second], 2, "blend", names, path)
    batch = next(read_batches(splits.find(real_data / "audioset", "validate"), AUDIOSET, 200))
    inputs = {"frames": batch.frames, "num_frames": batch.num_frames}
    expected = np.mean([average_rounds(model, inputs, 2) for model in (vlad, recurrent)], axis=0)
    found = on_phone(path, batch.frames, batch.num_frames)
    assert found["labels"].tolist() == names
    assert found["inputs"].tolist() == ["frames", "num_frames"]
    pairs = zip(top(found["probabilities"])[0], top(expected)[0])
    assert np.mean([len(set(own) & set(exact)) / 20 for own, exact in pairs]) > 0.97
    gaps = [gap_at_20(each, batch.labels) for each in (found["probabilities"], expected)]
    assert gaps[1] > 0.1, "the members learned nothing"
    assert gaps[0] == pytest.approx(gaps[1], abs=0.002)
