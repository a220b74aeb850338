from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from evals.metrics import (
    auroc,
    brier,
    coverage_at_risk,
    expected_calibration_error,
    hit_at,
    mean,
    ndcg_at,
    reciprocal_rank_at,
    reliability,
    risk_coverage,
)

SCORES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=30)
JUDGED = st.lists(st.tuples(st.integers(0, 6).map(lambda n: n / 6), st.booleans()), min_size=1)


def test_ranking_by_hand() -> None:
    ranked = ["c", "a", "b"]
    assert hit_at(1, ranked, {"a"}) == 0.0
    assert hit_at(2, ranked, {"a"}) == 1.0
    assert reciprocal_rank_at(10, ranked, {"a", "b"}) == 0.5
    assert reciprocal_rank_at(1, ranked, {"a"}) == 0.0
    # gains 3 and 1; found at ranks 2 and 3, ideal at 1 and 2
    expected = (3 / math.log2(3) + 1 / math.log2(4)) / (3 + 1 / math.log2(3))
    assert ndcg_at(10, ranked, {"a": 2, "b": 1}) == pytest.approx(expected)
    assert ndcg_at(10, ranked, {}) == 0.0


@given(st.permutations(["a", "b", "c", "d"]), st.dictionaries(st.sampled_from("abcd"), st.just(2)))
def test_ndcg_is_one_exactly_for_the_best_order(ranked: list[str], grades: dict[str, int]) -> None:
    found = ndcg_at(10, ranked, grades)
    on_top = set(ranked[: len(grades)]) == set(grades)
    assert (found == pytest.approx(1.0)) == (on_top and bool(grades))


@given(SCORES, SCORES)
def test_auroc_is_that_of_the_reference(positive: list[float], negative: list[float]) -> None:
    labels = [1] * len(positive) + [0] * len(negative)
    assert auroc(positive, negative) == pytest.approx(roc_auc_score(labels, positive + negative))


def test_auroc_of_nothing_is_no_number() -> None:
    assert math.isnan(auroc([], [1.0]))
    assert math.isnan(mean([]))


def test_risk_coverage_by_hand() -> None:
    points = risk_coverage([0.9, 0.8, 0.8, 0.1], [False, True, False, True])
    assert [(p.threshold, p.coverage) for p in points] == [(0.9, 0.25), (0.8, 0.75), (0.1, 1.0)]
    assert [p.risk for p in points] == pytest.approx([0.0, 1 / 3, 0.5])
    assert coverage_at_risk(0.02, [0.9, 0.8], [False, True]).coverage == 0.5
    assert coverage_at_risk(0.02, [0.9], [True]).coverage == 0.0
    assert coverage_at_risk(0.02, [0.9], [True]).threshold == math.inf


@given(JUDGED)
def test_the_curve_ends_with_everything_answered(judged: list[tuple[float, bool]]) -> None:
    scores, wrong = [s for s, _ in judged], [w for _, w in judged]
    points = risk_coverage(scores, wrong)
    assert points[-1].coverage == 1.0
    assert points[-1].risk == pytest.approx(sum(wrong) / len(wrong))
    for point in points:  # what the point says holds when one answers from its threshold on
        kept = [w for s, w in judged if s >= point.threshold]
        assert point.coverage == pytest.approx(len(kept) / len(judged))
        assert point.risk == pytest.approx(sum(kept) / len(kept))


def test_calibration_by_hand() -> None:
    confidence, right = [0.95, 0.95, 0.05, 1.0], [True, False, False, True]
    bars = reliability(confidence, right)
    assert [(b.count, b.accuracy) for b in bars] == [(1, 0.0), (3, pytest.approx(2 / 3))]
    gap = abs((0.95 + 0.95 + 1.0) / 3 - 2 / 3)
    assert expected_calibration_error(confidence, right) == pytest.approx((0.05 + 3 * gap) / 4)
    assert brier([1.0, 0.5], [True, False]) == pytest.approx(0.125)


@given(JUDGED)
def test_bins_hold_every_item_once(judged: list[tuple[float, bool]]) -> None:
    bars = reliability([s for s, _ in judged], [w for _, w in judged])
    assert sum(b.count for b in bars) == len(judged)
    assert all(b.low - 1e-9 <= b.confidence <= b.high + 1e-9 for b in bars)
