"""Report of a recipe's runs, from the files of its stages."""

import json
import shutil

import pytest

from tests.support.recipes import change_a_rate
from yt8m_kit.cli.main import main

pytestmark = pytest.mark.usefixtures("tiny_recipes")


def test_a_row_has_a_members_scores_and_sizes(tiny_runs, capsys):
    assert main(["report", "tiny", f"--runs={tiny_runs}"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["name", "family", "parameters", "GAP@20"]
    scores = json.loads((tiny_runs / "tiny/netvlad/validate.weights.json").read_text())
    (netvlad,) = (row.split() for row in rows if row.startswith("netvlad"))
    assert netvlad[1:4] == ["netvlad", f"{scores['parameters_saved']:,}", f"{scores['gap']:.4f}"]
    assert f"{scores['parameters_saved'] * 4 / 2**20:.2f}" in netvlad
    assert not any(row.startswith("runaway") for row in rows)


def test_a_blend_has_the_parameters_of_the_members_that_it_contains(tiny_data, tiny_runs, tmp_path, capsys):
    """A member of weight 0 is not in the graph."""
    runs = tmp_path / "runs"
    shutil.copytree(tiny_runs, runs)
    places = [f"--data={tiny_data.path}", f"--runs={runs}"]
    for verb, words in (("ensemble", places), ("export", places[1:]), ("evaluate", places)):
        assert main([verb, "tiny", "one_left_out", *words]) == 0
    capsys.readouterr()
    assert main(["report", "tiny", f"--runs={runs}"]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["one_left_out"][1:3] == ["blend", rows["logistic"][2]]


def test_markdown_has_the_same_cells(tiny_runs, capsys):
    assert main(["report", "tiny", f"--runs={tiny_runs}"]) == 0
    plain = capsys.readouterr().out
    assert main(["report", "tiny", f"--runs={tiny_runs}", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in [lines[0], *lines[2:]]]
    assert [" ".join(filter(None, row)).split() for row in cells] == [
        line.split() for line in plain.splitlines()
    ]


def test_a_damaged_file_is_named_and_the_rest_is_shown(tiny_runs, tmp_path, capsys):
    """A changed digit in one member's scores, and a truncated log."""
    runs = tmp_path / "runs"
    shutil.copytree(tiny_runs, runs)
    scores = runs / "tiny/logistic/validate.weights.json"
    scores.write_text(scores.read_text().replace("gap", "gaq"))
    metrics = runs / "tiny/netvlad/metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:-1]))
    assert main(["report", "tiny", f"--runs={runs}"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["name", "netvlad"]
    assert f"{scores} is damaged: its SHA-256 differs from its record" in err
    assert f"{metrics} is damaged: its last row is not of step 30." in err


def test_scores_of_a_recipe_that_changed_are_named(tiny_runs, tmp_path, monkeypatch, capsys):
    runs = tmp_path / "runs"
    shutil.copytree(tiny_runs, runs)
    assert main(["report", "tiny", f"--runs={runs}", "--json"]) == 0
    out, err = capsys.readouterr()
    assert {row["stale"] for row in json.loads(out)} == {None}
    assert "changed since" not in err
    change_a_rate(tmp_path, monkeypatch)
    assert main(["report", "tiny", f"--runs={runs}", "--json"]) == 0
    out, err = capsys.readouterr()
    reasons = {row["name"]: row["stale"] for row in json.loads(out)}
    assert "learning_rate was" in reasons["logistic"]
    assert reasons["netvlad"] is None
    assert "warning: scores of a recipe that has changed since: logistic (" in err
    assert "Run: yt8m run tiny --to=evaluate" in err
    assert "learning_rate was" in (runs / "tiny/report.html").read_text(encoding="utf-8")
