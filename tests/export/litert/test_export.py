"""`yt8m export --format=litert`: labels, size limit, damage."""

import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import DEMO
from yt8m_kit.metrics import top
from yt8m_kit.recipe import Ensemble, Recipe
from yt8m_kit.run import Run

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def runs(tiny_runs, tmp_path):
    shutil.copytree(tiny_runs, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def named(tmp_path):
    """A folder with names for two classes."""
    folder = tmp_path / "names"
    folder.mkdir()
    (folder / "vocabulary.csv").write_text("Index,Name\n0,Game\n2,Video  game\n")
    return folder


def test_a_blend_agrees_with_its_saved_model(runs, named, tiny_data, on_phone, capsys):
    words = ["tiny", "blend", f"--runs={runs}"]
    assert main(["export", *words]) == 0
    assert main(["export", *words, "--format=litert", f"--data={named}"]) == 0
    run = Run.of(runs, "tiny", "blend")
    assert capsys.readouterr().out.splitlines()[-1] == str(run.litert)
    batch = next(read_batches(splits.find(tiny_data.path, "validate"), DEMO, 40))
    found = on_phone(run.litert, batch.frames, batch.num_frames)
    assert found["labels"].tolist() == ["Game", "1", "Video game", *map(str, range(3, DEMO.classes))]
    graph = tf.saved_model.load(str(run.graph)).signatures["serving_default"]
    inputs = {"frames": tf.constant(batch.frames), "num_frames": tf.constant(batch.num_frames)}
    expected = graph(**inputs)["probabilities"].numpy()
    np.testing.assert_allclose(found["probabilities"], expected, atol=2e-3)
    pairs = zip(top(found["probabilities"])[0], top(expected)[0])
    assert np.mean([len(set(own) & set(exact)) / 20 for own, exact in pairs]) > 0.97
    assert {path.name for path in run.path.iterdir()} == {
        *("ensemble.json", "graph", "export.json", "graph.tflite", "provenance", ".lock")
    }


def test_codecs_of_four_bits_have_four(runs, tiny_data, on_phone):
    """Half the bytes of the kernel; the same labels, mostly."""
    assert main(["ensemble", "tiny", "logistic_4bit", f"--runs={runs}"]) == 0
    found, sizes = {}, {}
    batch = next(read_batches(splits.find(tiny_data.path, "validate"), DEMO, 40))
    for name in ("logistic_4bit", "logistic"):
        assert main(["export", "tiny", name, "--format=litert", f"--runs={runs}"]) == 0
        path = Run.of(runs, "tiny", name).litert
        sizes[name] = path.stat().st_size
        found[name] = top(on_phone(path, batch.frames, batch.num_frames)["probabilities"])[0]
    assert sizes["logistic"] - sizes["logistic_4bit"] == pytest.approx(1152 * 50 / 2, abs=200)
    pairs = zip(found["logistic"], found["logistic_4bit"])
    assert np.mean([len(set(own) & set(best)) / 20 for own, best in pairs]) > 0.8


def test_other_names_make_it_stale(runs, named, capsys):
    words = ["export", "tiny", "netvlad", "--format=litert", f"--runs={runs}", f"--data={named}"]
    assert main(words) == 0
    assert main(words) == 0
    assert "up to date" in capsys.readouterr().err
    for text in ("Index,Name\n0,Games\n", "Label\n" + "".join(f"sound {n}\n" for n in range(DEMO.classes))):
        (named / "vocabulary.csv").write_text(text)
        assert main(words) == 2
        assert "is stale" in capsys.readouterr().err


def test_a_name_file_that_is_none_is_reported(runs, named, capsys):
    (named / "vocabulary.csv").write_text("<html>")
    assert main(["export", "tiny", "netvlad", "--format=litert", f"--runs={runs}", f"--data={named}"]) == 1
    assert "not a vocabulary" in capsys.readouterr().err
    assert not Run.of(runs, "tiny", "netvlad").litert.exists()


def test_over_the_limit_nothing_is_written(runs, monkeypatch, capsys):
    alone = Ensemble(("netvlad",), limit=100_000)
    monkeypatch.setattr(Recipe, "ensemble", lambda recipe, name: alone)
    assert main(["export", "tiny", "netvlad", "--format=litert", f"--runs={runs}"]) == 1
    assert "over the limit of 100,000; nothing was written" in capsys.readouterr().err
    assert not list(Run.of(runs, "tiny", "netvlad").path.glob("*tflite*"))


def test_a_file_cut_short_is_refused(runs, interpreter, tmp_path):
    assert main(["export", "tiny", "netvlad", "--format=litert", f"--runs={runs}"]) == 0
    content = Run.of(runs, "tiny", "netvlad").litert.read_bytes()
    with zipfile.ZipFile(Run.of(runs, "tiny", "netvlad").litert) as archive:
        [labels] = archive.infolist()
    for size in (3, 100, len(content) // 2, labels.header_offset - 64):
        (tmp_path / "cut.tflite").write_bytes(content[:size])
        with pytest.raises(ValueError, match="not a valid Flatbuffer"):
            interpreter(model_path=str(tmp_path / "cut.tflite"))
    (tmp_path / "cut.tflite").write_bytes(content[:-10])  # of the labels
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(tmp_path / "cut.tflite")


def test_a_codec_that_needs_measuring_is_not_measured(runs, interpreter):
    """Its tensor formats are not those of a LiteRT model."""
    assert main(["ensemble", "tiny", "mixed", f"--runs={runs}"]) == 0
    assert main(["export", "tiny", "mixed", "--format=litert", f"--runs={runs}"]) == 0
    path = Run.of(runs, "tiny", "mixed").litert
    assert interpreter(model_path=str(path)).get_signature_list()
