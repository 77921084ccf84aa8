"""The report page: what its figures say, and that it is one file. Drawn in a browser: test_page.py."""

import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.dataset import AUDIOSET, DEMO, YOUTUBE8M_2018
from yt8m_kit.ensembling.candidate_classes import keep_top_classes
from yt8m_kit.metrics import average_precision, gap_at_20, mean_average_precision
from yt8m_kit.reporting.page import blends, curves, labels, videos
from yt8m_kit.reporting.page.scores import score_table

pytestmark = pytest.mark.usefixtures("tiny_recipes")
MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def made(tiny_data, tiny_runs, tmp_path_factory):
    """Runs of the tiny recipe with an exported and evaluated ensemble, and their page as text."""
    from tests.support.recipes import RECIPES

    runs = tmp_path_factory.mktemp("page") / "runs"
    shutil.copytree(tiny_runs, runs)
    places = [f"--data={tiny_data.path}", f"--runs={runs}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        for verb, words in (("ensemble", places), ("export", places[1:]), ("evaluate", places)):
            assert main([verb, "tiny", "exact", *words]) == 0
        assert main(["report", "tiny", *places]) == 0
    return runs, (runs / "tiny" / "report.html").read_text()


@pytest.fixture(scope="module")
def chart_data(made):
    """Columns of each chart, by its name."""
    _, found, rest = made[1].partition('<script type="application/json" id="data">')
    assert found
    return json.loads(rest.partition("</script>")[0])["charts"]


class References(HTMLParser):
    """Collects what a page refers to, and the ids that it defines."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.links, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        about = dict(attrs)
        self.ids.add(about.get("id"))
        if tag == "a":
            self.links.append(about["href"])
        else:
            self.loaded += [about[key] for key in ("src", "href", "srcset", "data") if about.get(key)]


def test_the_page_is_one_small_file_whose_links_lead_somewhere(made):
    page = References(made[1])
    assert page.loaded == ["data:,"]
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert "run-netvlad" in page.ids
    assert len(made[1].encode()) < MOST_BYTES


def test_every_kind_of_figure_has_its_rows(chart_data):
    assert set(chart_data) == {
        *("training", "validation", "size", "codec", "bits"),
        *("agreement", "left_out", "labels", "reliability"),
    }
    assert set(chart_data["training"]["member"]) == {"logistic", "netvlad"}
    kinds = dict(zip(chart_data["validation"]["kind"], chart_data["validation"]["member"]))
    assert kinds["before averaging"] == kinds["after averaging, kept"] == "netvlad"
    assert kinds["final weights"] == "logistic"


def test_bits_of_tensor_groups_add_up_to_the_exported_bytes(made, chart_data):
    exported = json.loads((made[0] / "tiny/exact/export.json").read_text())
    groups = [group for own in exported["tensors"].values() for group in own.values()]
    scores = json.loads((made[0] / "tiny/netvlad/validate.weights.json").read_text())
    netvlad = exported["tensors"]["netvlad"].values()
    assert sum(group["weights"] for group in netvlad) == scores["parameters_saved"]
    codes = sum(path.stat().st_size for path in (made[0] / "tiny/exact/graph/variables").glob("*.data-*"))
    assert sum(group["bytes"] for group in groups) <= codes < exported["bytes"]
    shares = [s for s, m in zip(chart_data["bits"]["share"], chart_data["bits"]["member"]) if m == "netvlad"]
    bits = 8 * sum(group["bytes"] for group in netvlad) / scores["parameters_saved"]
    assert sum(shares) == pytest.approx(bits, rel=1e-4)


def test_the_page_says_what_a_stage_took_and_where(made):
    record = json.loads((made[0] / "tiny/exact/provenance/graph.json").read_text())["content"]
    assert 0 < record["cpu_seconds"] < 600
    assert record["bytes_read"] > 0
    assert record["environment"]["numpy"] == np.__version__
    assert f"numpy {np.__version__}" in made[1]


def test_json_has_the_figures_unrounded(made, tiny_data, capsys):
    assert main(["report", "tiny", f"--runs={made[0]}", f"--data={tiny_data.path}", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    scores = json.loads((made[0] / "tiny/netvlad/validate.weights.json").read_text())
    assert rows["netvlad"]["GAP@20"] == scores["gap"]
    assert rows["exact"]["epoch s"] is None


def test_markdown_and_json_exclude_each_other(capsys):
    assert main(["report", "tiny", "--markdown", "--json"]) == 2
    assert "--markdown or --json; got both" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["jinja2", "vl_convert"])
def test_without_the_extra_the_table_is_printed(package, made, tmp_path, monkeypatch, capsys):
    runs = tmp_path / "runs"
    shutil.copytree(made[0], runs, ignore=shutil.ignore_patterns("report.html"))
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["report", "tiny", f"--runs={runs}"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("name")
    (line,) = [line for line in err.splitlines() if "report.html" in line]
    assert package in line
    assert "pip install 'yt8m-kit[report]'" in line
    assert not (runs / "tiny" / "report.html").exists()


def test_a_damaged_file_is_named_once(made, tmp_path, capsys):
    runs = tmp_path / "runs"
    shutil.copytree(made[0], runs)
    probabilities = runs / "tiny/logistic/validate.probabilities.npz"
    probabilities.write_bytes(probabilities.read_bytes()[:-1])
    scores = runs / "tiny/blend/ensemble.json"
    scores.write_text(scores.read_text().replace("gap", "gaq"))
    assert main(["report", "tiny", f"--runs={runs}"]) == 0
    err = capsys.readouterr().err
    assert err.count(f"{probabilities} is damaged") == 1
    assert err.count(f"{scores} is damaged") == 1


def test_a_report_needs_no_framework(made, tiny_data):
    words = ["report", "tiny", f"--runs={made[0]}", f"--data={tiny_data.path}"]
    code = f"import sys; from yt8m_kit.cli.main import main; assert main({words}) == 0; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert "vl_convert" in modules
    assert not {"tensorflow", "keras", "jax", "torch"} & modules


class SomePredictions:
    """Three members' random probabilities of 60 videos and 30 classes, the second one near the first."""

    def __init__(self):
        random = np.random.default_rng(3)
        self.truth = random.random((60, 30)) < 0.1
        self.truth[:, 0] |= ~self.truth.any(axis=1)
        noise = random.random((3, 60, 30)).astype(np.float32)
        noise[1] = 0.8 * noise[0] + 0.2 * noise[1]
        self.members = 0.7 * noise + 0.3 * self.truth.astype(np.float32)
        read = {name: (lambda place=place: self.members[place]) for place, name in enumerate("abc")}
        candidates = keep_top_classes(list(read.values()), self.truth)
        ids = np.array([f"{number:04d}" for number in range(60)])
        self.found = blends.Predicted(ids, self.truth, read, candidates)


def test_agreement_is_the_correlation_of_errors_on_the_top_20_of_the_mean():
    some = SomePredictions()
    best = np.argsort(-some.members.mean(axis=0), axis=1)[:, :20]
    errors = [np.take_along_axis(member - some.truth, best, axis=1).ravel() for member in some.members]
    expected = np.corrcoef(errors)
    found = {(row["member"], row["other"]): row["correlation"] for row in blends.agreement(some.found)}
    for i, a in enumerate("abc"):
        for j, b in enumerate("abc"):
            assert found[a, b] == pytest.approx(expected[i, j], abs=1e-5)
    assert found["a", "b"] > found["a", "c"]


def test_a_heading_above_the_names_shifts_none(tmp_path):
    (tmp_path / "vocabulary.csv").write_text("Label\n" + "".join(f"sound {n}\n" for n in range(DEMO.classes)))
    assert labels.Names(tmp_path, DEMO.classes)(3) == "sound 3"


def test_average_precisions_are_those_whose_mean_is_the_map(tmp_path):
    some = SomePredictions()
    mixed = some.members.mean(axis=0)
    rows = labels.precisions(mixed, some.truth, labels.Names(tmp_path, DEMO.classes), {3: 17})
    for row in rows:
        column = row["label"]
        assert row["ap"] == average_precision(mixed[:, column], some.truth[:, column])
        assert row["videos"] == some.truth[:, column].sum()
        assert row["train"] == (17 if column == 3 else None)
    assert np.mean([row["ap"] for row in rows]) == pytest.approx(mean_average_precision(mixed, some.truth))


def test_reliability_bins_hold_all_top_20_predictions():
    some = SomePredictions()
    rows = labels.reliability(some.found, "blend", some.members.mean(axis=0))
    for name, member in (("blend", None), ("a", 0)):
        own = [row for row in rows if row["name"] == name]
        probabilities = some.members.mean(axis=0) if member is None else some.members[member]
        best = np.argsort(-probabilities, axis=1)[:, :20]
        assert sum(row["count"] for row in own) == best.size
        hits = np.take_along_axis(some.truth, best, axis=1).sum()
        assert sum(row["count"] * row["true"] for row in own) == pytest.approx(hits)
        confidences = np.take_along_axis(probabilities, best, axis=1)
        total = sum(row["count"] * row["confidence"] for row in own)
        assert total == pytest.approx(confidences.sum(dtype=np.float64), rel=1e-5)


def test_confused_pairs_count_false_labels_above_true_ones(tmp_path):
    """Two videos of label 1 where 0 is above it, one where it is not; label 2 is right."""
    truth = np.array([[0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]], bool)
    scores = np.array([[0.9, 0.5, 0.1], [0.8, 0.2, 0.1], [0.1, 0.9, 0.0], [0.3, 0.2, 0.9]], np.float32)
    found = labels.confused(scores, truth, labels.Names(tmp_path, DEMO.classes))
    assert found == [{"true": "label 1", "false": "label 0", "times": 2, "videos": 3}]


def test_misses_begin_with_the_most_confident_one(tmp_path):
    some = SomePredictions()
    mixed = some.members.mean(axis=0)
    found = videos.misses(some.found.ids, mixed, some.truth, labels.Names(tmp_path, DEMO.classes), DEMO)
    false = np.where(some.truth, 0, mixed).max(axis=1)
    assert [each["id"] for each in found] == [f"{n:04d}" for n in np.argsort(-false)[: videos.SHOWN]]
    first = int(found[0]["id"])
    assert {label["name"] for label in found[0]["true"]} == {
        f"label {n}" for n in np.flatnonzero(some.truth[first])
    }


@pytest.mark.parametrize(
    ("identity", "dataset", "link"),
    [
        ("Ca3b8qNUbsk", AUDIOSET, "https://www.youtube.com/watch?v=Ca3b8qNUbsk"),
        ("b4xM", YOUTUBE8M_2018, "https://data.yt8m.org/2/j/i/b4/b4xM.js"),
        ("b4xM", DEMO, None),
        ("a/../secret", AUDIOSET, None),
    ],
)
def test_an_id_becomes_a_link_only_where_it_is_one(identity, dataset, link):
    assert videos.link(identity, dataset) == link


def test_leaving_a_member_out_costs_the_difference_of_two_blends(made, tiny_data, chart_data):
    from yt8m_kit.evaluation.probabilities import read_probabilities
    from yt8m_kit.pipeline.stages import Stages
    from yt8m_kit.recipe import load
    from yt8m_kit.run import Experiment

    stages = Stages(Experiment(load("tiny"), tiny_data.path, made[0]))
    shares = blends.shares_of(stages, "exact")
    kept = {name: read_probabilities(stages, name, "validate") for name in ("logistic", "netvlad")}
    truth = kept["netvlad"][2]
    mixed = np.sum([share * kept[name][1] for name, share in shares.items()], axis=0)
    whole = gap_at_20(mixed, truth)
    column = chart_data["left_out"]
    for ensemble, member, cost in zip(column["ensemble"], column["member"], column["cost"]):
        assert ensemble == "exact"
        (other,) = shares.keys() - {member}
        assert cost == pytest.approx(whole - gap_at_20(kept[other][1], truth), abs=1e-4)


def test_long_curves_are_thinned_to_means():
    rows = [{name: float(step) for name in curves.METRICS} for step in range(1001)]
    thinned = curves._thinned(rows)
    assert len(thinned) == curves.POINTS
    assert thinned[0]["loss"] == 2.5  # of steps 0 to 5
    assert curves._thinned(rows[:7]) == rows[:7]
    assert curves._thinned([]) == []


def test_the_score_table_has_reported_figures_and_differences():
    from yt8m_kit.recipe import Ensemble, Member, Recipe

    member = Member("frame_logistic", steps=1, published_parameters=100)
    systems = {"both": Ensemble(("one",), published_private=0.88, published_mib=2.0)}
    recipe = Recipe("r", "", DEMO, {"one": member}, systems)
    names = ("parameters", "exported MiB", "board public", "board private")
    rows = [{"name": "one", **dict.fromkeys(names)}, {"name": "both", **dict.fromkeys(names)}]
    rows[0]["parameters"] = 90
    rows[1] |= {"board private": 0.8791, "exported MiB": 3.0}
    columns = {column.title: [text for _, text in column.cells] for column in score_table(recipe, rows)}
    assert columns["reported parameters"] == ["100", ""]
    assert columns["parameters difference"] == ["-10", ""]
    assert columns["reported board private"] == ["", "0.8800"]
    assert columns["board private difference"] == ["", "-0.0009"]
    assert columns["exported MiB difference"] == ["", "+1.00"]
    assert "board public" not in columns
