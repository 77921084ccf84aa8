"""The model card, and that a graph loads by TensorFlow alone, as the card says."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tests.support.recipes import change_a_rate
from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches

pytestmark = pytest.mark.usefixtures("tiny_recipes")
WITHOUT_THE_KIT = "import sys\nsys.modules['yt8m_kit'] = sys.modules['keras'] = None\n"


@pytest.fixture(scope="module")
def exported(tiny_data, tiny_runs, tmp_path_factory):
    """Runs with an evaluated float32 graph with names of 49 of the 50 classes, and its card."""
    from tests.support.recipes import RECIPES

    folder = tmp_path_factory.mktemp("card")
    runs, data = folder / "runs", folder / "data"
    shutil.copytree(tiny_runs, runs)
    shutil.copytree(tiny_data.path, data)
    names = "".join(f'{label},"class, {label}"\n' for label in range(49))
    (data / "vocabulary.csv").write_text(f"Index,Name\n{names}")
    places = [f"--data={data}", f"--runs={runs}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        for verb in ("ensemble", "export", "evaluate"):
            assert main([verb, "tiny", "exact", *places]) == 0
        assert main(["card", "tiny", "exact", f"--runs={runs}"]) == 0
    return runs


@pytest.fixture(scope="module")
def text(exported):
    return (exported / "tiny/exact/README.md").read_text()


def test_the_header_has_the_scores_of_the_graph(exported, text):
    header = yaml.safe_load(text.split("---\n")[1])
    scores = json.loads((exported / "tiny/exact/validate.graph.json").read_text())
    (result,) = header["model-index"][0]["results"]
    assert result["dataset"] == {"type": "demo", "name": "demo, validate split", "split": "validate"}
    found = {metric["name"]: metric["value"] for metric in result["metrics"]}
    expected = {"GAP@20": "gap", "mAP": "map", "Hit@1": "hit1", "PERR": "perr"}
    assert found == {title: pytest.approx(scores[key], abs=1e-5) for title, key in expected.items()}
    assert header["pipeline_tag"] == "video-classification"


def test_the_text_has_size_members_and_split(exported, text):
    about = json.loads((exported / "tiny/exact/export.json").read_text())
    assert f"{about['bytes']:,} bytes" in text
    assert about["bytes"] == sum(
        file.stat().st_size for file in (exported / "tiny/exact/graph").rglob("*") if file.is_file()
    )
    assert re.search(r"\| netvlad \| 0\.750 \| netvlad \| [\d,]+ \| 30 \| - \| 16 \|", text)
    assert "| validate split | 40 |" in text
    assert "`rgb` (bytes 0 to 1023)" in text


def test_the_code_of_the_card_runs_in_a_process_without_the_kit(exported, text, tiny_data, tmp_path):
    """Its results are the blend of the probabilities that evaluation has kept of the members."""
    batch = next(iter(read_batches(splits.find(tiny_data.path, "validate"), tiny_data.dataset, 40)))
    np.savez(tmp_path / "videos.npz", frames=batch.frames, num_frames=batch.num_frames)
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    more = f"""
import numpy as np
videos = np.load({str(tmp_path / "videos.npz")!r})
found = model.probabilities(videos["frames"], videos["num_frames"])["probabilities"]
np.savez({str(tmp_path / "found.npz")!r}, found=found, names=[names[0], names[48]])
"""
    code = WITHOUT_THE_KIT + "".join(blocks) + more
    run = exported / "tiny/exact"
    done = subprocess.run([sys.executable, "-c", code], cwd=run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "confidences" in done.stdout
    found = np.load(tmp_path / "found.npz")
    kept = {
        name: np.load(run.parent / name / "validate.probabilities.npz") for name in ("logistic", "netvlad")
    }
    expected = 0.25 * kept["logistic"]["probabilities"] + 0.75 * kept["netvlad"]["probabilities"]
    assert batch.ids == [*kept["logistic"]["ids"]]
    np.testing.assert_allclose(found["found"], expected, atol=1e-5)
    assert found["names"].tolist() == ["class, 0", "class, 48"]


def test_labels_csv_has_the_names_of_the_vocabulary(exported, tiny_runs, tiny_data, tmp_path):
    with (exported / "tiny/exact/graph/labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"index": str(label), "name": f"class, {label}"} for label in range(49)]
    runs = tmp_path / "runs"
    shutil.copytree(tiny_runs, runs)
    assert main(["export", "tiny", "logistic", f"--runs={runs}", f"--data={tiny_data.path}"]) == 0
    assert not (runs / "tiny/logistic/graph/labels.csv").exists()


def test_another_vocabulary_does_not_make_a_graph_stale(exported, tiny_data, capsys):
    """Of records without one, the exported graph is the same."""
    assert main(["evaluate", "tiny", "exact", f"--runs={exported}", f"--data={tiny_data.path}"]) == 0
    assert "stale" not in capsys.readouterr().err


def test_scores_of_another_graph_are_left_out(tiny_runs, tiny_data, tmp_path, capsys):
    runs = tmp_path / "runs"
    shutil.copytree(tiny_runs, runs)
    places = [f"--data={tiny_data.path}", f"--runs={runs}"]
    for words in (["export"], ["evaluate"], ["export", "--anew"]):
        assert main([words[0], "tiny", "logistic", *words[1:], *places]) == 0
    capsys.readouterr()
    assert main(["card", "tiny", "logistic", f"--runs={runs}"]) == 0
    out, err = capsys.readouterr()
    assert "validate.graph.json was not made from the present logistic/graph: left out" in err
    card = runs / "tiny/logistic/README.md"
    assert out == f"{card}\n"
    assert "This graph has not been scored." in card.read_text()


def test_a_card_needs_a_graph(tiny_runs, capsys):
    assert main(["card", "tiny", "netvlad", f"--runs={tiny_runs}"]) == 2
    assert "graph is missing; run: yt8m export tiny netvlad" in capsys.readouterr().err


def test_a_card_without_the_extra_says_what_to_install(exported, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["card", "tiny", "exact", f"--runs={exported}"]) == 2
    assert "pip install 'yt8m-kit[report]'" in capsys.readouterr().err


def test_a_vocabulary_that_changed_is_named_and_anew_writes_it(tiny_data, tiny_runs, tmp_path, capsys):
    runs, data = tmp_path / "runs", tmp_path / "data"
    shutil.copytree(tiny_runs, runs)
    data.mkdir()
    command = ["export", "tiny", "logistic", f"--data={data}", f"--runs={runs}"]
    assert main(command) == 0
    assert main(command) == 0
    assert "does not have the names" not in capsys.readouterr().err
    (data / "vocabulary.csv").write_text("Index,Name\n" + "".join(f"{each},a{each}\n" for each in range(50)))
    assert main(command) == 0
    assert "labels.csv does not have the names of" in capsys.readouterr().err
    assert main([*command, "--anew"]) == 0
    assert (runs / "tiny/logistic/graph/labels.csv").read_text().splitlines()[1] == "0,a0"
    assert main(command) == 0
    assert "does not have the names" not in capsys.readouterr().err


def test_a_stale_graph_gets_no_card(exported, tmp_path, monkeypatch, capsys):
    recipe = change_a_rate(tmp_path, monkeypatch)
    before = (exported / "tiny/exact/README.md").read_text()
    assert main(["card", recipe, "exact", f"--runs={exported}"]) == 2
    assert (
        "graph is stale: logistic/trained.weights.h5 is stale: learning_rate was" in capsys.readouterr().err
    )
    assert (exported / "tiny/exact/README.md").read_text() == before
