from __future__ import annotations

import math

import pytest

from evals.intervals import auroc_of, bootstrap, mean_of, ratio_of


def test_the_interval_holds_the_value_and_narrows_with_more_questions() -> None:
    few, many = mean_of([0.0, 1.0] * 10, seed=1), mean_of([0.0, 1.0] * 500, seed=1)
    for figure in (few, many):
        assert figure.low <= figure.value == 0.5 <= figure.high
    assert many.high - many.low < few.high - few.low
    # a share of one half over 1000: 1.96 * sqrt(.25 / 1000) each side
    assert many.high - many.low == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 1000), rel=0.1)


def test_equal_seeds_give_equal_intervals() -> None:
    values = [n * n / 100 for n in range(50)]
    assert mean_of(values, 7) == mean_of(values, 7)
    assert mean_of(values, 7) != mean_of(values, 8)


def test_a_ratio_weighs_every_citation_and_counts_them() -> None:
    figure = ratio_of([1, 0], [1, 3], seed=1)
    assert (figure.value, figure.n) == (0.25, 4)
    assert (figure.low, figure.high) == (0.0, 1.0)


def test_nothing_measured_is_no_number() -> None:
    for figure in (mean_of([], 1), ratio_of([0], [0], 1), auroc_of([], [1.0], 1)):
        assert math.isnan(figure.value)
        assert figure.n == 0
    assert bootstrap(lambda drawn: float(len(drawn)), 0, 1).n == 0


def test_auroc_of_separated_scores_is_certain() -> None:
    figure = auroc_of([0.8, 0.9], [0.1, 0.2, 0.3], seed=1)
    assert (figure.value, figure.low, figure.high, figure.n) == (1.0, 1.0, 1.0, 5)
