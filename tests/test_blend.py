"""Blend weights: valid, better than equal shares, and found where the answer is known."""

import json

import numpy as np
import pytest

from yt8m_kit.blend import mix, search
from yt8m_kit.metrics import gap_at_20


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    truth = rng.random((300, 40)) < 0.07
    good = np.clip(0.45 * truth + 0.5 * rng.random((300, 40)), 0, 1).astype(np.float32)
    fair = np.clip(0.30 * truth + 0.5 * rng.random((300, 40)), 0, 1).astype(np.float32)
    noise = rng.random((300, 40), dtype=np.float32)
    return [good, fair, noise], truth


def test_search_beats_equal_shares_and_each_member(case):
    members, truth = case
    weights = search(members, truth)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    found = gap_at_20(mix(members, weights), truth)
    assert found > gap_at_20(mix(members, [1 / 3] * 3), truth)
    assert found > max(gap_at_20(member, truth) for member in members)
    assert weights[2] < 0.1


def test_one_good_member_gets_it_all(case):
    members, truth = case
    weights = search([truth.astype(np.float32), members[2], members[2]], truth)
    assert gap_at_20(
        mix([truth.astype(np.float32), members[2], members[2]], weights), truth
    ) == pytest.approx(1)


def test_mix_is_the_weighted_sum(case):
    members, _ = case
    np.testing.assert_allclose(
        mix(members, [0.5, 0.3, 0.2]), 0.5 * members[0] + 0.3 * members[1] + 0.2 * members[2], rtol=1e-5
    )


def test_the_verb_writes_weights_and_what_they_reach(tiny_runs):
    found = json.loads((tiny_runs / "tiny/blend/ensemble.json").read_text())
    assert set(found["weights"]) == {"logistic", "netvlad"}
    assert sum(found["weights"].values()) == pytest.approx(1, abs=1e-5)
    assert found["validation_gap"] >= max(found["member_gap"].values()) - 1e-6
