"""ONNX models of the families: agreement with the SavedModel, codecs, bad inputs, real records."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.families import ROWS, TOY, settled, videos
from yt8m_kit import models
from yt8m_kit.codecs.formats import FORMATS
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import AUDIOSET, DEMO
from yt8m_kit.errors import KitError
from yt8m_kit.export.export import encoded
from yt8m_kit.export.onnx.requirements import LOOPING
from yt8m_kit.export.saved_model import write_saved_model
from yt8m_kit.metrics import top

CONVERTED = [row for row, (family, _) in ROWS.items() if family not in LOOPING]
CLOSE = 1e-5  # sums of float32 in another order


def part_of(model, family, dataset, settings, codec="float32", share=1.0):
    """A part whose matrices have the format; also small ones, which a codec would leave as float32."""
    formats = {v.path: codec if len(v.shape) > 1 else "float32" for v in model.variables}
    return encoded(model, models.outline(family, dataset, **settings), share, formats, {})


def toy(row, codec="float32"):
    family, settings = ROWS[row]
    inputs, _ = videos()
    return part_of(settled(models.build(family, TOY, **settings), inputs), family, TOY, settings, codec)


def written(parts, path, dataset=TOY, labels=("label",)):
    from yt8m_kit.export.onnx.model_file import write_onnx

    write_onnx(dataset, parts, 2, "blend", labels, path)
    return path


def expected(parts, inputs, folder, dataset=TOY):
    """Probabilities of the SavedModel."""
    write_saved_model(dataset, parts, 2, folder)
    graph = tf.saved_model.load(str(folder))
    given = {name: tf.constant(array) for name, array in inputs.items()}
    return graph.signatures["serving_default"](**given)["probabilities"].numpy()


def check(session, parts, folder):
    inputs, _ = videos()
    [found] = session(written(parts, folder / "m.onnx")).run(None, inputs)
    np.testing.assert_allclose(found, expected(parts, inputs, folder / "graph"), atol=CLOSE)


@pytest.mark.long
@pytest.mark.parametrize("row", CONVERTED)
def test_family(session, row, tmp_path):
    check(session, [toy(row)], tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("row", [row for row in ROWS if row not in CONVERTED])
def test_a_loop_is_not_converted(row, tmp_path):
    """Should one be, by another tf2onnx, its family is to be allowed."""
    with pytest.raises(KitError, match="tf2onnx does not convert an operation of this blend"):
        written([toy(row)], tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_the_weights_are_those_of_the_graph(session, tmp_path):
    check(session, [toy("frame_logistic", "uint8")], tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("codec", FORMATS)
def test_codecs(session, codec, tmp_path):
    check(session, [toy("dbof", codec)], tmp_path)


def test_codes_have_a_byte_each(tmp_path):
    """Packed codes of 4 bits, too: a file of three bytes less a weight, and the operations that decode."""
    model = models.build("frame_logistic", DEMO)
    sizes = []
    for codec in ("float32", "int4"):
        part = part_of(model, "frame_logistic", DEMO, {}, codec)
        sizes.append(written([part], tmp_path / "m.onnx", DEMO).stat().st_size)
    weights = DEMO.width * DEMO.classes
    assert sizes[0] - sizes[1] == pytest.approx(3 * weights, abs=2000)


def test_videos_without_a_valid_number_of_frames_are_nan(session, tmp_path):
    inputs, _ = videos()
    parts, counts = [toy("frame_logistic")], inputs["num_frames"].copy()
    counts[1:4] = 0, -1, TOY.max_frames + 1
    loaded = session(written(parts, tmp_path / "m.onnx"))
    [found] = loaded.run(None, inputs | {"num_frames": counts})
    assert np.isnan(found[1:4]).all()
    left = [0, *range(4, len(counts))]
    np.testing.assert_allclose(found[left], loaded.run(None, inputs)[0][left], atol=CLOSE)
    assert np.isfinite(found[left]).all()


def test_frames_of_another_shape_are_an_error(session, tmp_path):
    loaded = session(written([toy("frame_logistic")], tmp_path / "m.onnx"))
    for shape in ((8, 11, 24), (8, 13, 24), (8, 12, 23), (12, 24)):
        with pytest.raises(Exception, match=r"(?i)invalid (rank|dimensions)|invalid_argument"):
            loaded.run(None, {"frames": np.zeros(shape, np.uint8), "num_frames": np.ones(8, np.int32)})


def test_weights_over_the_limit_of_the_format_are_refused(monkeypatch, tmp_path):
    from yt8m_kit.export.onnx import model_file

    monkeypatch.setattr(model_file, "MOST", 100)
    with pytest.raises(KitError, match="whose files have at most 100; nothing was written"):
        written([toy("frame_logistic")], tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_process_without_the_kit_agrees_on_real_records(real_data, elsewhere, tmp_path):
    """200 clips of AudioSet, a blend of two members with codes of 8 bits: the same 20 labels, in order."""
    batch = next(read_batches(splits.find(real_data / "audioset", "validate"), AUDIOSET, 200))
    inputs = {"frames": batch.frames, "num_frames": batch.num_frames}
    parts = []
    for row in ("frame_logistic", "netvlad-masked"):
        family, settings = ROWS[row]
        model = settled(models.build(family, AUDIOSET, **settings), inputs)
        parts.append(part_of(model, family, AUDIOSET, settings, "uint8", 0.5))
    names = [f"label {number}" for number in range(AUDIOSET.classes)]
    found = elsewhere(written(parts, tmp_path / "m.onnx", AUDIOSET, names), **inputs)
    assert found["labels"].tolist() == names
    assert found["ends"].tolist() == ["frames", "num_frames", "probabilities"]
    exact = expected(parts, inputs, tmp_path / "graph", AUDIOSET)
    np.testing.assert_allclose(found["probabilities"], exact, atol=CLOSE)
    labels, values = top(exact)
    own, _ = top(found["probabilities"])
    # Two labels may change places where they differ by less than the two programs do.
    same = (own == labels) | (np.abs(np.take_along_axis(exact, own, axis=1) - values) < 2 * CLOSE)
    assert same.all()
    assert np.mean(own == labels) > 0.99
