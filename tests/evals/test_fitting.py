"""The two small fits, on data whose truth is known; the split that keeps areas unseen."""

from __future__ import annotations

import numpy as np
import pytest

from evals.fit_reranker import area, held_out
from evals.fitting import Ranked, fit_classifier, fit_ranker

FEATURES = ("signal", "noise")


def test_the_ranker_finds_the_feature_that_marks_what_answers() -> None:
    rng = np.random.default_rng(7)
    lists = []
    for _ in range(200):
        rows = rng.normal(size=(8, 2))
        right = rows[:, 0] == rows[:, 0].max()
        lists.append(Ranked(rows, right))
    fitted = fit_ranker(FEATURES, lists, 1.0, {})
    signal, noise = fitted.weight
    assert signal > 2
    assert abs(noise) < signal / 5
    fresh = rng.normal(size=(8, 2))
    assert fitted.logits(fresh).argmax() == fresh[:, 0].argmax()


def test_lists_without_an_answer_teach_nothing() -> None:
    rng = np.random.default_rng(8)
    taught = [Ranked(rng.normal(size=(4, 2)), np.array([True, False, False, False]))] * 5
    empty = Ranked(rng.normal(size=(4, 2)) * 100, np.zeros(4, dtype=np.bool_))
    assert fit_ranker(FEATURES, [*taught, empty], 1.0, {}) == fit_ranker(FEATURES, taught, 1.0, {})


def test_the_classifier_is_calibrated_on_data_of_its_own_form() -> None:
    rng = np.random.default_rng(9)
    rows = rng.normal(size=(20_000, 2))
    truth = 1 / (1 + np.exp(-(1.5 * rows[:, 0] - 0.5)))
    labels = rng.random(len(rows)) < truth
    fitted = fit_classifier(FEATURES, rows, labels, np.ones(len(rows)), 1.0, {})
    told = 1 / (1 + np.exp(-fitted.logits(rows)))
    assert np.abs(told - truth).max() < 0.05


def test_a_heavier_sample_counts_for_more() -> None:
    rows, labels = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([True, False])
    fitted = fit_classifier(FEATURES, rows, labels, np.array([3.0, 1.0]), 1.0, {})
    assert fitted.probability((1.0, 0.0)) == pytest.approx(0.75, abs=0.01)


def test_areas_are_held_out_whole_and_in_one_part_each() -> None:
    assert area("how-to/add-a-route") == area("how-to__other") == "how-to"
    names = [f"area-{n}" for n in range(60)]
    parts = [[held_out(name, 3, part) for part in range(3)] for name in names]
    assert all(sum(row) == 1 for row in parts)
    assert not any(held_out(name, 0, 0) for name in names)
