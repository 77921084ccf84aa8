"""What verbs print of facts: fitted in a terminal, plain in a pipe, JSON and TSV for programs."""

import csv
import json
import subprocess
import sys

import pytest
from rich.cells import cell_len

from tests.support.terminal import ESCAPES, in_terminal, lines_of
from yt8m_kit import recipe as recipes
from yt8m_kit.cli.main import main


@pytest.fixture(autouse=True)
def nothing_made(tmp_path, monkeypatch):
    monkeypatch.setenv("YT8M_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("YT8M_DATA", str(tmp_path / "data"))


def parsed(words, capsys):
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main([*words, "--tsv"]) == 0
    rows = [*csv.DictReader(capsys.readouterr().out.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert len(rows) == len(found)
    assert all(row.keys() == one.keys() for row, one in zip(rows, found))
    return found


def test_json_says_what_a_recipe_has(capsys):
    demo = recipes.load("demo")
    [row] = [row for row in parsed(["recipes"], capsys) if row["recipe"] == "demo"]
    assert row["members"] == list(demo.members)
    assert row["ensembles"] == list(demo.ensembles)
    assert row["mistake"] is None
    families = {row["member"]: row["family"] for row in parsed(["members", "demo"], capsys)}
    assert families == {name: member.family for name, member in demo.members.items()}
    assert [row["limit"] for row in parsed(["ensembles", "demo"], capsys)] == [
        ensemble.limit for ensemble in demo.ensembles.values()
    ]


def test_json_of_stages_and_of_their_states(capsys, tmp_path):
    stages = parsed(["stages", "demo", "netvlad"], capsys)
    assert stages[0] == {
        "stage": "train demo netvlad",
        "product": str(tmp_path / "runs/demo/netvlad/trained.weights.h5"),
    }
    states = parsed(["status", "demo", "netvlad"], capsys)
    assert {row["stage"] for row in states} >= {"train netvlad", "export netvlad"}
    assert {row["state"] for row in states} == {"missing"}
    assert {row["seconds"] for row in states} == {None}


def test_submissions_without_any(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    assert main(["submissions", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["submissions"]) == 0
    assert "no submissions yet" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["recipes"], ["members", "demo"], ["status", "demo"], ["submissions"]])
def test_both_forms_are_misuse(words, capsys):
    assert main([*words, "--json", "--tsv"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err == "yt8m: facts are printed with --tsv or --json; got both.\n"


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("words", [["recipes"], ["status", "demo"], ["status", "expanded"]])
def test_a_terminal_gets_lines_that_fit(words, columns):
    text = in_terminal(words, columns)
    lines = lines_of(text)
    assert len(lines) > 3
    assert max(map(cell_len, lines)) <= columns
    assert ESCAPES.search(text), "headings are bold"


def test_no_colours_with_no_color_on_a_dumb_terminal_and_in_a_pipe(tmp_path):
    product = tmp_path / "runs/demo/netvlad/trained.weights.h5"
    product.parent.mkdir(parents=True)
    product.touch()  # stale: without a record
    yellow, words = "33", ["status", "demo"]
    assert yellow in _codes(in_terminal(words, 100))
    assert yellow not in _codes(in_terminal(words, 100, NO_COLOR="1"))
    assert not _codes(in_terminal(words, 100, TERM="dumb"))
    command = [sys.executable, "-m", "yt8m_kit.cli", *words]
    piped = subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout
    assert not ESCAPES.search(piped)
    assert "stale" in piped


def _codes(text):
    return {code for escape in ESCAPES.findall(text) for code in escape[2:-1].split(";")}


def test_rich_is_imported_for_a_terminal_only():
    code = "import sys; from yt8m_kit.cli.main import main; main(['status', 'demo']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, encoding="utf-8")
    modules = done.stdout.splitlines()[-1].split()
    assert "yt8m_kit.pipeline.status" in modules
    assert "rich" not in modules
