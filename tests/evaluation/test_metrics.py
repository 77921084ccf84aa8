"""Metrics against plain Python implementations of their definitions."""

import numpy as np
import pytest

from yt8m_kit import metrics


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    probabilities = rng.random((200, 50), dtype=np.float32)
    truth = rng.random((200, 50)) < 0.08
    truth[0] = False
    probabilities[truth] += rng.random(int(truth.sum()), dtype=np.float32)
    return probabilities / 2, truth


def plain_gap(probabilities, truth, k=20):
    """GAP@k by definition: average precision over the pooled, sorted predictions."""
    pooled = []
    for row, true in zip(probabilities, truth):
        for label in sorted(range(len(row)), key=lambda c: -row[c])[:k]:
            pooled.append((row[label], bool(true[label])))
    pooled.sort(key=lambda pair: -pair[0])
    hits, total = 0, 0.0
    for i, (_, hit) in enumerate(pooled, 1):
        hits += hit
        total += hit * hits / i
    return total / truth.sum()


def test_gap_matches_its_definition(case):
    probabilities, truth = case
    assert metrics.gap_at_20(probabilities, truth) == pytest.approx(
        plain_gap(probabilities, truth), abs=1e-12
    )


def test_gap_counts_positives_outside_the_top_20():
    probabilities = np.linspace(0, 1, 50, dtype=np.float32)[None, ::-1]
    truth = np.zeros((1, 50), bool)
    truth[0, [0, 30]] = True
    assert metrics.gap_at_20(probabilities, truth) == pytest.approx(0.5)


def test_perfect_and_wrong_predictions():
    truth = np.eye(30, dtype=bool)
    assert metrics.gap_at_20(truth.astype(np.float32), truth) == pytest.approx(1.0)
    wrong = np.roll(truth, 1, axis=1).astype(np.float32)
    assert metrics.hit_at_1(wrong, truth) == 0.0


def test_ties_favour_neither_hits_nor_misses():
    """With equal confidences, GAP is about the share of hits: the expectation for a random order."""
    rng = np.random.default_rng(1)
    hits = rng.random((5000, 20)) < 0.3
    value = metrics.gap(np.full(hits.shape, 0.5, np.float32), hits, int(hits.sum()))
    assert value == pytest.approx(0.3, abs=0.01)


def test_gap_without_positives_is_an_error():
    with pytest.raises(ValueError, match="at least one positive"):
        metrics.gap(np.ones((1, 20), np.float32), np.zeros((1, 20), bool), 0)


def test_top_is_descending_and_breaks_ties_by_label():
    labels, confidences = metrics.top(np.array([[0.1, 0.5, 0.5, 0.9]], np.float32), 3)
    assert labels.tolist() == [[3, 1, 2]]
    assert confidences.tolist() == [[np.float32(0.9), 0.5, 0.5]]


@pytest.mark.parametrize("k", [1, 20])
@pytest.mark.parametrize("steps", [2**20, 2000, 10, 1], ids=["no ties", "some", "many", "only"])
def test_top_is_that_of_a_stable_sort(steps, k):
    """Of as many classes as YouTube-8M has, with steps + 1 different confidences."""
    random = np.random.default_rng(0)
    probabilities = (random.integers(0, steps + 1, (300, 3862)) / steps).astype(np.float32)
    probabilities[7] = 0
    labels, confidences = metrics.top(probabilities, k)
    expected = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(confidences, np.take_along_axis(probabilities, expected, axis=1))


def test_top_does_not_hide_nan():
    probabilities = np.random.default_rng(0).random((3, 3862), np.float32)
    probabilities[1, 3861] = np.nan
    assert metrics.top(probabilities)[0][1, 0] == 3861


def test_hit_at_1_and_perr_match_their_definitions(case):
    probabilities, truth = case
    ranked = np.argsort(-probabilities, axis=1)
    hits = [truth[i, ranked[i, 0]] for i in range(len(truth))]
    assert metrics.hit_at_1(probabilities, truth) == pytest.approx(np.mean(hits))
    shares = [truth[i, ranked[i, : truth[i].sum()]].mean() for i in range(len(truth)) if truth[i].any()]
    assert metrics.perr(probabilities, truth) == pytest.approx(np.mean(shares))


def plain_average_precision(scores, truth):
    """Sum over thresholds of recall gain * precision; equal scores share a threshold."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        recall = (truth & chosen).sum() / truth.sum()
        total += (recall - before) * (truth & chosen).sum() / chosen.sum()
        before = recall
    return total


def test_mean_average_precision_with_ties(case):
    probabilities, truth = case
    coarse = np.round(probabilities, 1)
    present = [c for c in range(truth.shape[1]) if truth[:, c].any()]
    expected = np.mean([plain_average_precision(coarse[:, c], truth[:, c]) for c in present])
    assert metrics.mean_average_precision(coarse, truth) == pytest.approx(expected, abs=1e-12)


def test_top_1_and_top_5_match_their_definition():
    rng = np.random.default_rng(2)
    truth = np.eye(40, dtype=bool)[rng.integers(0, 40, 300)]
    truth[:20] = False  # videos without a label do not count
    probabilities = rng.random((300, 40), dtype=np.float32) + 0.4 * truth.astype(np.float32)
    ranks = [
        sorted(range(40), key=lambda c: -row[c]).index(int(true.argmax()))
        for row, true in zip(probabilities[20:], truth[20:])
    ]
    first, five = (sum(rank < k for rank in ranks) / 280 for k in (1, 5))
    assert 0.05 < first < five < 0.95
    found = metrics.scores(probabilities, truth, single_label=True)
    assert found["top1"] == pytest.approx(first)
    assert found["top5"] == pytest.approx(five)
    assert found["mean_error"] == pytest.approx(((1 - first) + (1 - five)) / 2)
    assert "top1" not in metrics.scores(probabilities, truth)


def test_accuracy_without_labels_is_an_error():
    with pytest.raises(ValueError, match="at least one labelled video"):
        metrics.single_label_scores(np.ones((2, 5), np.float32), np.zeros((2, 5), bool))
