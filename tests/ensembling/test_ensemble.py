"""Blend weights: valid, better than equal weights, and optimal where the optimum is known."""

import json
from itertools import combinations, pairwise

import numpy as np
import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.ensembling.candidate_classes import keep_top_classes
from yt8m_kit.ensembling.ensemble import mix, report
from yt8m_kit.ensembling.search import EXACT, Search, held_out
from yt8m_kit.errors import UsageError
from yt8m_kit.metrics import gap_at_20, single_label_scores

MEBI = 2**20


def members_of(strengths, videos=300, classes=40, seed=0):
    """Simulated members: noisy truth with a signal-to-noise ratio per member; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.random((videos, classes)) < 0.07
    noise = [rng.random((videos, classes)) for _ in strengths]
    members = [np.clip(s * truth + 0.5 * n, 0, 1).astype(np.float32) for s, n in zip(strengths, noise)]
    return members, truth


def reading(members):
    return [lambda member=member: member for member in members]


def search(members, truth, sizes=None, budget=10**12, kept=128):
    candidates = keep_top_classes(reading(members), truth, kept)
    return Search(candidates, sizes or [1] * len(members), budget).run()


def true_gap(members, weights, truth):
    return gap_at_20(mix(reading(members), np.asarray(weights, float)), truth)


@pytest.fixture(scope="module")
def case():
    return members_of([0.45, 0.30, 0.0])


def test_search_beats_equal_weights_and_each_member(case):
    members, truth = case
    best = search(members, truth).best()
    assert best.weights.sum() == pytest.approx(1)
    assert (best.weights >= 0).all()
    assert best.score == pytest.approx(true_gap(members, best.weights, truth), abs=1e-12)
    assert best.score > true_gap(members, [1, 1, 1], truth)
    assert best.score > max(gap_at_20(member, truth) for member in members)
    assert best.weights[2] < 0.1


def test_a_single_good_member_gets_all_the_weight(case):
    members, truth = case
    best = search([truth.astype(np.float32), members[2], members[2]], truth).best()
    assert best.score == pytest.approx(1)
    assert best.members == (0,)


def test_mix_is_the_weighted_sum(case):
    members, _ = case
    expected = 0.5 * members[0] + 0.3 * members[1] + 0.2 * members[2]
    np.testing.assert_allclose(mix(reading(members), np.array([0.5, 0.3, 0.2])), expected, rtol=1e-5)


def test_pruned_gap_is_exact_where_share_exact_is_1():
    """With share_exact 1, GAP@20 is that of all classes; share_exact grows with the classes kept."""
    members, truth = members_of([0.5, 0.4, 0.3], videos=200, classes=300)
    weights = np.array([0.5, 0.3, 0.2])
    exact = keep_top_classes(reading(members), truth, kept=300)
    assert exact.share_exact(weights) == 1
    shares = []
    for kept in (25, 60, 120, 250):
        candidates = keep_top_classes(reading(members), truth, kept)
        shares.append(candidates.share_exact(weights))
        gap = candidates.gap(candidates.mix(weights))
        if shares[-1] == 1:
            assert gap == pytest.approx(true_gap(members, weights, truth), abs=1e-6)
        assert gap == pytest.approx(true_gap(members, weights, truth), abs=0.01)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_the_budget_is_respected_and_used():
    members, truth = members_of([0.40, 0.38, 0.36, 0.2])
    sizes = [100, 60, 40, 10]
    best = search(members, truth, sizes, budget=110).best()
    assert best.size == sum(sizes[member] for member in best.members) <= 110
    assert best.members == (1, 2, 3)  # better together than the strongest member alone
    assert search(members, truth, sizes, budget=15).best().members == (3,)
    with pytest.raises(UsageError, match="no member fits into 9 bytes: the smallest takes 10"):
        search(members, truth, sizes, budget=9).best()


def test_greedy_is_at_least_as_good_as_all_subsets_with_equal_weights():
    """More members than are searched exhaustively."""
    strengths = [0.5, 0.45, 0.42, 0.4, 0.38, 0.36, 0.3, 0.25]
    members, truth = members_of(strengths, videos=200)
    sizes = [90, 70, 60, 50, 40, 35, 20, 10]
    assert len(members) > EXACT
    found = search(members, truth, sizes, budget=120).best()
    subsets = [
        subset
        for count in range(1, 9)
        for subset in combinations(range(8), count)
        if sum(sizes[member] for member in subset) <= 120
    ]
    equal = [true_gap(members, np.isin(range(8), subset), truth) for subset in subsets]
    assert found.size <= 120
    assert found.score >= max(equal)


def test_the_pareto_front_rises_with_bytes():
    members, truth = members_of([0.5, 0.45, 0.42, 0.4, 0.38, 0.36, 0.3], videos=100)
    sizes = [90, 70, 60, 50, 40, 35, 20]
    found = search(members, truth, sizes, budget=100)
    curve = found.curve()
    assert len(curve) > 3
    assert all(a.size < b.size and a.score < b.score for a, b in pairwise(curve))
    assert found.best().score == max(point.score for point in curve if point.size <= 100)


def test_a_half_without_labels_is_named():
    members, truth = members_of((0.5, 0.3), videos=2)
    truth[:], truth[0, 0] = False, True
    candidates = keep_top_classes(reading(members), truth)
    with pytest.raises(UsageError, match="one half of its 2 videos has no label"):
        held_out(candidates, truth.sum(axis=1), [1, 1], 10)


def test_held_out_gap_reveals_a_search_that_overfits_noise():
    """Members of pure noise: weights fitted to one half of the videos gain nothing on the other."""
    members, truth = members_of([0.0] * 5, videos=120)
    candidates = keep_top_classes(reading(members), truth)
    fitted = Search(candidates, [1] * 5, 10).run().best().score
    searched, equal = held_out(candidates, truth.sum(axis=1), [1] * 5, 10)
    assert fitted > searched + 0.005
    assert searched == pytest.approx(equal, abs=0.02)


def test_the_verb_writes_weights_and_their_gap(tiny_runs):
    found = json.loads((tiny_runs / "tiny/blend/ensemble.json").read_text())
    assert set(found["weights"]) == {"logistic", "netvlad"}
    assert sum(found["weights"].values()) == pytest.approx(1, abs=1e-5)
    assert found["certain"] == 1
    best = max(point["gap"] for point in found["curve"])
    if found["searched"]:
        assert found["validation_gap"] == pytest.approx(best, abs=1e-5)
        assert best >= max(found["member_gap"].values()) - 1e-6


@pytest.mark.usefixtures("tiny_recipes")
def test_published_weights_are_used_unchanged(tiny_runs, tmp_path):
    for member in ("logistic", "netvlad"):
        (tmp_path / "tiny").mkdir(exist_ok=True)
        (tmp_path / "tiny" / member).symlink_to(tiny_runs / "tiny" / member)
    assert main(["ensemble", "tiny", "exact", f"--runs={tmp_path}"]) == 0
    found = json.loads((tmp_path / "tiny/exact/ensemble.json").read_text())
    assert found["weights"] == {"logistic": 0.25, "netvlad": 0.75}
    assert found["searched"] is False


def single_label_members(strengths, videos=400, classes=30, seed=0):
    """Simulated members that err on videos of their own: noise around the single true class."""
    rng = np.random.default_rng(seed)
    truth = np.eye(classes, dtype=bool)[rng.integers(0, classes, videos)]
    truth[-10:] = False  # unlabelled
    logits = [s * truth + rng.standard_normal((videos, classes)) for s in strengths]
    return [(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)).astype(np.float32) for z in logits], truth


def test_single_labels_are_searched_by_the_mean_error():
    members, truth = single_label_members([2.5, 2.0, 0.0])
    candidates = keep_top_classes(reading(members), truth, single_label=True)
    best = Search(candidates, [1, 1, 1], 10).run().best()

    def error(*weights):
        return single_label_scores(mix(reading(members), np.array(weights, float)), truth)["mean_error"]

    assert 1 - best.score == pytest.approx(error(*best.weights), abs=1e-12)
    assert 1 - best.score < min(error(1, 0, 0), error(0, 1, 0), error(1, 1, 1))
    searched, equal = held_out(candidates, truth.sum(axis=1), [1, 1, 1], 10)
    assert 1 - searched == pytest.approx(1 - best.score, abs=0.1)
    assert searched >= equal - 0.05


def test_a_tie_with_the_true_class_is_an_error():
    truth = np.eye(6, dtype=bool)[[2]]
    candidates = keep_top_classes([lambda: np.full((1, 6), 0.25, np.float32)], truth, single_label=True)
    assert candidates.mean_error(candidates.mix(np.array([1.0]))) == 1


def test_many_members_are_in_lines_that_fit_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    names = [f"member_{number}" for number in range(20)]
    point = {"bytes": 12_345_678, "gap": 0.87654321, "weights": dict.fromkeys(names, 0.05)}
    about = {
        "curve": [point],
        "budget": 2**30,
        "held_out_gap": {"searched": 0.9, "equal": 0.8},
        "searched": True,
    }
    *table, _ = report(about).splitlines()
    assert max(map(len, table)) <= 60
    assert " ".join(table[2:]).split() == names
    assert table[1].split() == ["12,345,678", "0.87654", "yes"]
