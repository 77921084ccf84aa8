"""A submission in the format of the recipe's challenge: content, staleness, mistakes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.recipes import RECIPES
from yt8m_kit.cli.main import main
from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Submission
from yt8m_kit.submission.csv_reader import read

WRITE = """
import json

TOP = 5


def kinetics(ids, labels, confidences, names):
    best = zip(ids, labels[:, :TOP].tolist(), confidences[:, :TOP].tolist())
    results = {
        video: [{"label": names[label], "score": score} for label, score in zip(numbers, scores)]
        for video, numbers, scores in best
    }
    return json.dumps({"version": "KINETICS VERSION 1.0", "results": results})


"""


class Place:
    """Recipes, records with names, and runs of a test; the recipe has a format of its own."""

    def __init__(self, path: Path, data: Path, runs: Path):
        self.recipe, self.data, self.runs = path / "recipes/tiny.py", path / "data", path / "runs"
        shutil.copytree(data, self.data)
        shutil.copytree(runs, self.runs)
        shutil.copytree(RECIPES, path / "recipes")
        (self.data / "vocabulary.csv").write_text(
            "Index,Name\n" + "".join(f"{label},name {label}\n" for label in range(50))
        )
        text = self.recipe.read_text().replace("import Ema,", "import Submission, Ema,")
        text = text.replace("RECIPE = Recipe(", f"{WRITE}RECIPE = Recipe(")
        self.recipe.write_text(
            text.replace("    members={", '    submission=Submission(".json", kinetics),\n    members={', 1)
        )

    def yt8m(self, *words: str) -> int:
        data = [] if words[0] in ("export", "stages") else [f"--data={self.data}"]
        return main([*words, *data, f"--runs={self.runs}"])

    def edit(self, before: str, after: str) -> None:
        text = self.recipe.read_text()
        assert before in text
        self.recipe.write_text(text.replace(before, after))

    def file(self, name: str) -> Path:
        return self.runs / "tiny/logistic" / name


@pytest.fixture
def place(tiny_data, tiny_runs, tmp_path, monkeypatch) -> Place:
    made = Place(tmp_path, tiny_data.path, tiny_runs)
    monkeypatch.setenv("YT8M_RECIPES", str(made.recipe.parent))
    return made


OWN = ("predict", "tiny", "logistic", "--format=own")


def test_the_top_five_of_each_clip_as_json(place, capsys):
    assert place.yt8m(*OWN) == 2
    assert "submission.csv is missing; run: yt8m predict tiny logistic" in capsys.readouterr().err
    assert place.yt8m("run", "tiny", "logistic", "--to=predict") == 0
    assert place.yt8m(*OWN) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(place.file("submission.json"))
    ids, labels, confidences = read(place.file("submission.csv"), 50)
    found = json.loads(place.file("submission.json").read_text())
    assert found["version"] == "KINETICS VERSION 1.0"
    assert list(found["results"]) == ids
    last = [
        {"label": f"name {n}", "score": s} for n, s in zip(labels[-1, :5].tolist(), confidences[-1].tolist())
    ]
    assert found["results"][ids[-1]] == last
    assert place.yt8m("stages", "tiny", "logistic") == 0
    assert "predict tiny logistic --format=own" in capsys.readouterr().out.splitlines()
    _stale(place, capsys)
    _mistakes(place, capsys)


def _stale(place, capsys):
    """Of an edited function, or other names, but not of an unrelated edit for the CSV."""
    csv = place.file("submission.csv").stat().st_mtime_ns
    place.edit("TOP = 5", "TOP = 3")
    assert place.yt8m(*OWN) == 2
    assert "submission.json is stale: submission.file was" in capsys.readouterr().err
    assert place.yt8m("run", "tiny", "logistic", "--to=predict") == 0
    results = json.loads(place.file("submission.json").read_text())["results"]
    assert {len(best) for best in results.values()} == {3}
    names = place.data / "vocabulary.csv"
    names.write_text(names.read_text().replace("name 1\n", "another name\n"))
    assert place.yt8m(*OWN) == 2
    assert "is stale: vocabulary was" in capsys.readouterr().err
    kept = names.read_text()
    names.unlink()
    assert place.yt8m(*OWN) == 2
    assert "is now 'none'" in capsys.readouterr().err
    names.write_text(kept)
    assert place.yt8m(*OWN, "--anew") == 0
    assert place.file("submission.csv").stat().st_mtime_ns == csv


def _mistakes(place, capsys):
    """Of the function, in a line with its file and line; the file before stays."""
    before = place.file("submission.json").read_bytes()
    place.edit("names[label]", "names[label + 1000]")
    assert place.yt8m(*OWN, "--anew") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    line = (
        place.recipe.read_text()
        .splitlines()
        .index(next(text for text in place.recipe.read_text().splitlines() if "1000" in text))
        + 1
    )
    assert f"tiny.py, line {line}: KeyError: 10" in error
    assert not place.file("submission.json").exists()
    assert any(path.read_bytes() == before for path in place.runs.rglob("old/**/submission.json"))
    place.edit("return json.dumps(", "return list(")
    place.edit("names[label + 1000]", "names[label]")
    assert place.yt8m(*OWN) == 2
    assert (
        "tiny.py: kinetics must return a text or bytes; got ['version', 'results']" in capsys.readouterr().err
    )


def test_a_recipe_without_a_format_says_so(tiny_runs, tiny_recipes, capsys):
    assert main([*OWN, f"--runs={tiny_runs}"]) == 2
    assert "recipe tiny has no format of its own" in capsys.readouterr().err
    assert main([*OWN, f"--runs={tiny_runs}", "--part=1/2"]) == 2
    assert "--part divides a prediction" in capsys.readouterr().err


def test_kaggle_is_not_sent_the_csv_of_another_challenge(place, capsys):
    place.edit("dataset=DEMO", 'dataset=replace(DEMO, competition="own")')
    place.edit(
        "from yt8m_kit.dataset import DEMO",
        "from dataclasses import replace\nfrom yt8m_kit.dataset import DEMO",
    )
    assert place.yt8m("submit", "tiny", "logistic", "--to=kaggle") == 2
    assert "sends YouTube-8M's CSV; upload submission.json on" in capsys.readouterr().err


def write(ids, labels, confidences, names):
    return ""


@pytest.mark.parametrize("ending", ["json", ".csv", ".shards", "./x", ".JSON", ""])
def test_endings_that_cannot_be(ending):
    assert Submission(".json", write).sources()["function"] == "write"
    with pytest.raises(UsageError, match="ending must be a dot and small letters"):
        Submission(ending, write)


def test_write_must_be_a_function():
    with pytest.raises(UsageError, match="write must be a function; got 'json'"):
        Submission(".json", "json")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="write must be a function of the recipe's file"):
        Submission(".json", str)
